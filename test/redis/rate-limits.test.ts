import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisCounts } from '../../src/node/redis-counts.ts';
import { connectedRedisLink, type RedisLink } from '../../src/platform/redis/link.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { silentLogger } from '../support/cluster.ts';
import { until } from '../support/fault-node.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { counted, failuresPerName, guess, holdsOverTwoNodes } from '../support/shared-limits.ts';

let redis: TestRedis;
let here: TestApi;
let there: TestApi;
let link: RedisLink;

beforeAll(async () => {
  redis = await startRedis();
  here = await startTestApi({ RATE_LIMITS: 'on', REDIS_URL: redis.url });
  there = await here.anotherNode();
  link = await connectedRedisLink({ url: redis.url, name: 'test', log: silentLogger });
  const ready = async ({ call }: TestApi) => (await call('GET', '/readyz')).body.degraded;
  await until(async () => (await ready(here)) === undefined, 10_000);
  await until(async () => (await ready(there)) === undefined, 10_000);
}, 60_000);
afterAll(async () => {
  await here.stop();
  link.close();
  await redis.stop();
});

holdsOverTwoNodes(() => ({ here, there, counts: [redisCounts(link), redisCounts(link)] }));

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
