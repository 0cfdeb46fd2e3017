import { describe, expect, it, vi } from 'vitest';
import { withFloor } from '../../../src/api/http/login-floor.ts';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';

const refusal = new LatchkeyError('invalid_credentials');

/** Passes `ms` from `since` on. */
async function pass(ms: number, since = performance.now()): Promise<void> {
  while (performance.now() - since < ms) await new Promise(setImmediate);
}

async function refusedAfter(workMs: number, floorMs: number): Promise<[number, number]> {
  const arrivedAt = performance.now();
  let overruns = 0;
  const attempt = async () => {
    await pass(workMs, arrivedAt);
    throw refusal;
  };
  await expect(
    withFloor({ floorMs, arrivedAt, onOverrun: () => (overruns += 1) }, attempt),
  ).rejects.toBe(refusal);
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

  // Fails when an answer tells by its time whether something was done for it.
  it('keeps a success until a multiple too, where it is told to', async () => {
    for (const [workMs, dueMs] of [
      [0, 20],
      [25, 40],
    ] as const) {
      const arrivedAt = performance.now();
      const floor = { floorMs: 20, arrivedAt, keepsSuccess: true };
      await withFloor(floor, () => pass(workMs, arrivedAt));
      expect(performance.now() - arrivedAt).toBeGreaterThanOrEqual(dueMs);
    }
  });

  // Fails when only the floor holds it: 100 connections then ask 400 times a second.
  it('holds a refusal for a budget until a multiple from the twentieth on, and tells the rest', async () => {
    const floorMs = 60;
    const arrivedAt = performance.now();
    const spent = new LatchkeyError('rate_limited', { retryAfterSeconds: 90, detail: 'why' });
    const floor = { floorMs, arrivedAt, hold: (ms: number) => pass(ms) };
    const told = await withFloor(floor, () => Promise.reject(spent)).catch((error) => error);
    const heldMs = performance.now() - arrivedAt;
    expect(told).toMatchObject({ code: 'rate_limited', detail: 'why' });
    expect(heldMs).toBeGreaterThanOrEqual(20 * floorMs);
    expect(told.retryAfterSeconds).toBeLessThan(90);
    expect(told.retryAfterSeconds).toBeGreaterThanOrEqual(90 - heldMs / 1_000);
  });

  it('lets a refusal for a budget leave at the first multiple when it is not held', async () => {
    const floorMs = 500;
    const arrivedAt = performance.now();
    const told = new LatchkeyError('rate_limited', { retryAfterSeconds: 7 });
    const floor = { floorMs, arrivedAt, hold: async () => {} };
    const retryAfterSeconds = 7;
    await expect(withFloor(floor, () => Promise.reject(told))).rejects.toMatchObject({
      retryAfterSeconds,
    });
    expect(performance.now() - arrivedAt).toBeGreaterThanOrEqual(floorMs);
  });

  // Fails when a verdict on a credential is held too: honest users mistype.
  it('holds no other refusal', async () => {
    const floor = { floorMs: 5, arrivedAt: performance.now(), hold: vi.fn() };
    await expect(withFloor(floor, () => Promise.reject(refusal))).rejects.toBe(refusal);
    expect(floor.hold).not.toHaveBeenCalled();
  });

  it('does not hold a success', async () => {
    const never = 1e9;
    expect(
      await withFloor({ floorMs: never, arrivedAt: performance.now() }, async () => 'in'),
    ).toBe('in');
  });

  it('is off at 0', async () => {
    await expect(
      withFloor({ floorMs: 0, arrivedAt: 0 }, () => Promise.reject(refusal)),
    ).rejects.toBe(refusal);
  });
});
