import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRateLimits } from '../../src/node/rate-limits.ts';
import { createSharedRateLimits } from '../../src/node/shared-rate-limits.ts';
import { connectedRedisLink } from '../../src/platform/redis/link.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { silentLogger } from '../support/cluster.ts';
import { until } from '../support/fault-node.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
let here: TestApi;
let there: TestApi;

beforeAll(async () => {
  redis = await startRedis();
  here = await startTestApi({ RATE_LIMITS: 'on', REDIS_URL: redis.url });
  there = await here.anotherNode();
  const ready = async ({ call }: TestApi) => (await call('GET', '/readyz')).body.degraded;
  await until(async () => (await ready(here)) === undefined, 10_000);
  await until(async () => (await ready(there)) === undefined, 10_000);
}, 60_000);
afterAll(async () => {
  await here.stop();
  await redis.stop();
});

const failuresPerName = 20;

/** The statuses of so many wrong passwords for an address, side by side. */
async function guess(node: TestApi, email: string, count: number): Promise<number[]> {
  const body = { email, password: 'the wrong passphrase' };
  return Promise.all(
    Array.from({ length: count }, async () => {
      return (await node.call('POST', '/auth/login', { body })).status;
    }),
  );
}

const counted = (statuses: readonly number[], status: number) =>
  statuses.filter((each) => each === status).length;

// Fails when each node counts for itself: then none of the 26 is refused.
it('two nodes share the budget of wrong passwords', async () => {
  const email = 'shared@example.com';
  const statuses: number[] = [];
  for (let each = 0; each < 13; each += 1) {
    statuses.push(...(await guess(here, email, 1)), ...(await guess(there, email, 1)));
  }
  // A window that ends meanwhile begins to fade: that leaves room for one or two more.
  expect(counted(statuses, 401)).toBeGreaterThanOrEqual(failuresPerName);
  expect(counted(statuses, 401)).toBeLessThan(failuresPerName + 3);
  expect(statuses.slice(-3)).toEqual([429, 429, 429]);
});

// Fails when a limit is looked at in one step and counted in another.
it('attempts side by side on two nodes do not exceed a budget', async () => {
  const link = await connectedRedisLink({ url: redis.url, name: 'test', log: silentLogger });
  const nodes = [0, 1].map(() =>
    createSharedRateLimits({
      local: createRateLimits({ enabled: true }),
      link,
      secret: Buffer.from('a secret of this test'),
    }),
  );
  const payers = { address: '192.0.2.7', name: 'race@example.com' };
  const takes = Array.from({ length: 40 }, (_, each) =>
    Promise.resolve(nodes[each % 2]!.take('login_failure', payers)),
  );
  const outcomes = await Promise.allSettled(takes);
  link.close();
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(failuresPerName);
});

it('a login with the right password gives its count back, on both', async () => {
  const { email } = await here.register();
  for (let each = 0; each < 3; each += 1) {
    await here.logIn({ email });
    await there.logIn({ email });
  }
  await guess(here, email, 5);
  const statuses = [...(await guess(there, email, 5)), ...(await guess(here, email, 4))];
  expect(counted(statuses, 429)).toBe(0);
});

it('Redis holds neither names nor addresses', async () => {
  const { client } = redis;
  await guess(here, 'private@example.com', 1);
  const keys = await client.keys('latchkey:limit:*');
  expect(keys.length).toBeGreaterThan(0);
  const held = JSON.stringify([keys, await Promise.all(keys.map((key) => client.hgetall(key)))]);
  expect(held).not.toMatch(/example|127\.0|private/);
  for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0);
});

// Last: Redis does not come back. Fails when a node without Redis has no limit, or an error.
it('without Redis each node limits by its own counts, and never answers an error', async () => {
  const before = 'before@example.com';
  expect(counted(await guess(here, before, 12), 401)).toBe(12);
  await redis.kill9();
  const after = await guess(here, before, 12);
  expect(counted(after, 401)).toBe(failuresPerName - 12);
  expect(counted(after, 429)).toBe(4);
  expect(counted(await guess(there, before, 25), 401)).toBe(failuresPerName);
  const metrics = await here.node.metrics.registry.metrics();
  expect(metrics).toMatch(/latchkey_rate_limits_alone_total\{reason="\w+"\} [1-9]/);
});
