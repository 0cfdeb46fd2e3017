import { describe, expect, it } from 'vitest';
import { createRateLimits, type LimitedAction } from '../../../src/api/rate-limits.ts';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';

const one = { address: 3, identifier: 2 };
const limits = { login: one, register: one, refresh: one };

function limiter() {
  const limited: LimitedAction[] = [];
  return {
    limited,
    ...createRateLimits({ enabled: true, limits, onLimited: (action) => limited.push(action) }),
  };
}

// Tried, and failed here: one count per IPv6 address instead of per /64.
describe('rate limits', () => {
  it('refuse the attempt after the last with the time to wait, and count it', async () => {
    const { consume, limited } = limiter();
    for (let n = 0; n < 3; n += 1) await consume('login', '203.0.113.9');
    const refusal = await consume('login', '203.0.113.9').catch((error) => error);
    expect(refusal).toBeInstanceOf(LatchkeyError);
    expect(refusal).toMatchObject({ code: 'rate_limited' });
    expect(refusal.retryAfterSeconds).toBeGreaterThan(50);
    expect(refusal.retryAfterSeconds).toBeLessThanOrEqual(60);
    expect(limited).toEqual(['login']);
  });

  it('count an identifier in all its spellings, per address', async () => {
    const { consume } = limiter();
    await consume('login', '203.0.113.9', 'A@b.example');
    await consume('login', '203.0.113.9', ' a@B.example');
    await expect(consume('login', '203.0.113.9', 'a@b.example')).rejects.toThrow('rate_limited');
    await consume('login', '203.0.113.10', 'a@b.example');
  });

  it('count actions apart, and a whole IPv6 /64 together', async () => {
    const { consume } = limiter();
    for (let n = 0; n < 3; n += 1) await consume('login', `2001:db8::${n}`);
    await expect(consume('login', '2001:db8::ffff')).rejects.toThrow('rate_limited');
    await consume('login', '2001:db8:0:1::1');
    await consume('refresh', '2001:db8::1');
  });

  it('are silent when off', async () => {
    const off = createRateLimits({ enabled: false, limits });
    for (let n = 0; n < 10; n += 1) await off.consume('login', '203.0.113.9', 'a');
  });
});
