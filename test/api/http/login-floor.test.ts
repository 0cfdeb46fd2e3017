import { describe, expect, it } from 'vitest';
import { withFloor } from '../../../src/api/http/login-floor.ts';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';

const refusal = new LatchkeyError('invalid_credentials');

async function refusedAfter(workMs: number, floorMs: number): Promise<[number, number]> {
  const arrivedAt = performance.now();
  let overruns = 0;
  const attempt = async () => {
    while (performance.now() - arrivedAt < workMs) await new Promise(setImmediate);
    throw refusal;
  };
  await expect(withFloor(floorMs, arrivedAt, attempt, () => (overruns += 1))).rejects.toBe(refusal);
  return [performance.now() - arrivedAt, overruns];
}

// Tried, and failed here: answering a refusal without waiting.
describe('the login floor', () => {
  it('never lets a refusal leave before it, however little work there was', async () => {
    for (const workMs of [0, 1, 7, 15, 19.5]) {
      const [elapsed] = await refusedAfter(workMs, 20);
      expect(elapsed).toBeGreaterThanOrEqual(20);
    }
  });

  it('counts no refusal that met it', async () => {
    const [, overruns] = await refusedAfter(0, 500);
    expect(overruns).toBe(0);
  });

  it('counts a refusal that missed it, and holds that one until the next multiple', async () => {
    const [elapsed, overruns] = await refusedAfter(25, 20);
    expect(elapsed).toBeGreaterThanOrEqual(40);
    expect(overruns).toBe(1);
  });

  it('does not hold a success', async () => {
    const never = 1e9;
    expect(await withFloor(never, performance.now(), async () => 'in')).toBe('in');
  });

  it('is off at 0', async () => {
    await expect(withFloor(0, 0, () => Promise.reject(refusal))).rejects.toBe(refusal);
  });
});
