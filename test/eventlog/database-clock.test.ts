import { describe, expect, it } from 'vitest';
import {
  ClockSkewError,
  clockSkewMsMax,
  requireSameClock,
} from '../../src/eventlog/database-clock.ts';
import { answering } from './answers.ts';

const at = 1_760_000_000_000;
const database = answering(() => [{ at: new Date(at) }]);

/** `sent` and `received`: what this machine's clock says, relative to the database's. */
function check(sent: number, received = sent) {
  const times = [at + sent, at + received];
  return requireSameClock(database, () => times.shift()!);
}

describe('the clock of this machine', () => {
  it('may differ from the database’s by a second either way', async () => {
    expect(clockSkewMsMax).toBe(1_000);
    for (const skewMs of [-1_000, 0, 1_000]) await check(skewMs);
  });

  // Fails when the round trip counts: a slow answer would be taken for a wrong clock.
  it('may differ by the time of the round trip as well', async () => {
    await check(-30_000, -500);
    await check(1_000, 60_000);
  });

  it('is refused beyond that, with how far and which way it is wrong', async () => {
    await expect(check(1_001)).rejects.toThrow(ClockSkewError);
    await expect(check(5_000)).rejects.toThrow(/5 s ahead of/);
    await expect(check(-1_001)).rejects.toThrow(/1 s behind/);
    await expect(check(-5_000)).rejects.toMatchObject({ name: 'ClockSkewError' });
  });
});
