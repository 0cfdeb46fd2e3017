import { describe, expect, it } from 'vitest';
import { LogSampler } from '../../../src/platform/logging/log-sampler.ts';

describe('sampled log lines', () => {
  it('C11: are the first few of each second, and the next one tells how many were skipped', () => {
    const sampler = new LogSampler(3);
    const at = (now: number) => sampler.admit('invalid_token', now);
    expect([at(0), at(1), at(999), at(999), at(999)]).toEqual([{}, {}, {}, null, null]);
    expect([at(1000), at(1001)]).toEqual([{ skipped: 2 }, {}]);
  });

  it('C11: of one kind do not hide those of another', () => {
    const sampler = new LogSampler(1);
    expect(sampler.admit('invalid_token', 0)).toEqual({});
    expect(sampler.admit('invalid_token', 0)).toBeNull();
    expect(sampler.admit('internal_error', 0)).toEqual({});
  });
});
