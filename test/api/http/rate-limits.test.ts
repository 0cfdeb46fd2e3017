import { describe, expect, it } from 'vitest';
import { type Budget, budgets, type Rule } from '../../../src/domain/kernel/budgets.ts';
import { createRateLimits } from '../../../src/node/rate-limits.ts';

const rule = (per: Rule['per'], count: number, windowSeconds = 60): Rule => ({
  per,
  count,
  windowSeconds,
});

/** Limits small enough to be met, and a clock that stands until it is moved. */
function limiter(overrides: Partial<Record<Budget, readonly Rule[]>> = {}) {
  const limited: Budget[] = [];
  const clock = { seconds: 6_000 };
  const small = {
    ...budgets,
    login: [rule('address', 3)],
    login_failure: [rule('name', 2), rule('network', 9)],
    refresh: [rule('session', 2), rule('address', 100)],
    ...overrides,
  };
  const limits = createRateLimits({
    enabled: true,
    budgets: small,
    onLimited: (budget) => limited.push(budget),
    now: () => clock.seconds * 1000,
  });
  return { limited, clock, ...limits };
}

const address = '203.0.113.9';

describe('a budget', () => {
  // Fails when the seconds are those of a whole window, or too few.
  it('refuses the attempt after the last, and says when there is room for it', () => {
    const { take, limited, clock } = limiter();
    for (let n = 0; n < 3; n += 1) take('login', { address });
    let refusal: unknown;
    try {
      take('login', { address });
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 80 });
    expect(limited).toEqual(['login']);
    clock.seconds += 79;
    expect(() => take('login', { address })).toThrow('rate_limited');
    clock.seconds += 1;
    take('login', { address });
  });

  // Fails when an attempt that is refused counts: knocking would keep the door shut.
  it('does not count what it refused', () => {
    const { take, clock } = limiter();
    for (let n = 0; n < 3; n += 1) take('login', { address });
    for (let n = 0; n < 50; n += 1) {
      expect(() => take('login', { address })).toThrow('rate_limited');
    }
    clock.seconds += 80;
    take('login', { address });
  });

  it('is given back once, whatever happens twice', () => {
    const { take } = limiter();
    take('login', { address });
    const spent = take('login', { address });
    spent.giveBack();
    spent.giveBack();
    take('login', { address });
    take('login', { address });
    expect(() => take('login', { address })).toThrow('rate_limited');
  });

  it('counts a name in all its spellings, apart for each address', () => {
    const { take } = limiter();
    take('login_failure', { address, name: 'A@b.example' });
    take('login_failure', { address, name: ' a@B.example' });
    const again = { address, name: 'a@b.example' };
    expect(() => take('login_failure', again)).toThrow('rate_limited');
    take('login_failure', { ...again, address: '203.0.113.10' });
  });

  it('counts budgets apart, and a whole IPv6 /64 as one address', () => {
    const { take } = limiter();
    for (let n = 0; n < 3; n += 1) take('login', { address: `2001:db8::${n}` });
    expect(() => take('login', { address: '2001:db8::ffff' })).toThrow('rate_limited');
    take('login', { address: '2001:db8:0:1::1' });
    take('refresh', { address: '2001:db8::1' });
  });

  it('counts sessions apart behind one address', () => {
    const { take } = limiter();
    for (const sessionId of ['a', 'a', 'b']) take('refresh', { address, sessionId });
    expect(() => take('refresh', { address, sessionId: 'a' })).toThrow('rate_limited');
    take('refresh', { address });
  });

  // Fails when only the addresses are counted: a /48 has 65,536 of them.
  it.each([
    ['C4: a /48 of IPv6', (n: number) => `2001:db8:0:${n}::1`, '2001:db8:1::1'],
    ['a /24 of IPv4', (n: number) => `203.0.113.${n}`, '203.0.114.1'],
  ])('counts %s together', (_, member, neighbour) => {
    const { take } = limiter();
    for (let n = 0; n < 9; n += 1) take('login_failure', { address: member(n), name: `${n}` });
    const next = () => take('login_failure', { address: member(9), name: '9' });
    expect(next).toThrow('rate_limited');
    take('login_failure', { address: neighbour, name: '9' });
  });

  it('is never met when limits are off', () => {
    const off = createRateLimits({ enabled: false });
    for (let n = 0; n < 1_000; n += 1) off.take('login', { address });
  });
});
