import { describe, expect, it } from 'vitest';
import { createRateLimits } from '../../src/node/rate-limits.ts';
import { redisCounts } from '../../src/node/redis-counts.ts';
import { createSharedRateLimits } from '../../src/node/shared-rate-limits.ts';
import { RedisUnavailableError } from '../../src/platform/redis/link.ts';

const perMinute = { per: 'address', count: 3, windowSeconds: 60 } as const;
const budgets = { login: [perMinute] } as never;
const payers = { address: '192.0.2.1' };

/** A link whose Redis answers so to each script, in turn; the last answer stays. */
function limitsWith(...answers: (number[] | Error)[]) {
  const asked: unknown[][] = [];
  const alone: string[] = [];
  const link = {
    run: async <T>(work: (redis: never) => Promise<T>) =>
      work({
        eval: async (...args: unknown[]) => {
          asked.push(args);
          const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
          if (answer instanceof Error) throw answer;
          return answer;
        },
      } as never),
  };
  const limits = createSharedRateLimits({
    ...{ budgets, counts: redisCounts(link) },
    local: createRateLimits({ enabled: true, budgets, now: () => 0 }),
    secret: Buffer.from('shared'),
    onAlone: (reason) => void alone.push(reason),
  });
  return { limits, asked, alone };
}

const limited = expect.objectContaining({ code: 'rate_limited', retryAfterSeconds: 12 });

describe('shared rate limits', () => {
  it('refuse what Redis has no room for, and count it nowhere', async () => {
    const { limits } = limitsWith([11_500, 5], [11_500, 5], [11_500, 5], [11_500, 5], [0, 5]);
    for (let each = 0; each < 4; each += 1) {
      await expect(limits.take('login', payers)).rejects.toEqual(limited);
    }
    // Fails when an attempt that Redis refuses stays counted here.
    for (let each = 0; each < 3; each += 1) await limits.take('login', payers);
  });

  it('refuse what this process has no room for, without asking Redis', async () => {
    const { limits, asked } = limitsWith([0, 5]);
    for (let each = 0; each < 3; each += 1) await limits.take('login', payers);
    await expect(limits.take('login', payers)).rejects.toMatchObject({ code: 'rate_limited' });
    expect(asked).toHaveLength(3);
  });

  it.each(['away', 'slow', 'refused', 'busy'] as const)(
    'while Redis is %s are those of this process, and no error',
    async (reason) => {
      const { limits, alone } = limitsWith(new RedisUnavailableError(reason));
      for (let each = 0; each < 3; each += 1) await limits.take('login', payers);
      await expect(limits.take('login', payers)).rejects.toMatchObject({ code: 'rate_limited' });
      expect(alone).toEqual([reason, reason, reason]);
    },
  );

  it('give back once what was counted, in the window of the count', async () => {
    const { limits, asked } = limitsWith([0, 77]);
    const spent = await limits.take('login', payers);
    await spent.giveBack();
    await spent.giveBack();
    expect(asked).toHaveLength(2);
    expect(asked[1]!.at(-1)).toBe(77);
    for (let each = 0; each < 3; each += 1) await limits.take('login', payers);
  });

  it('tell Redis no name and no address', async () => {
    const { limits, asked } = limitsWith([0, 5]);
    await limits.take('login', payers);
    expect(JSON.stringify(asked)).not.toContain('192.0.2');
  });
});
