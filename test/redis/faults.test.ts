import { afterEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { until } from '../support/fault-node.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { claimsOf, type RedisWorld, startRedisWorld } from './world.ts';

const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each.stop();
});

const limitsOn = { RATE_LIMITS: 'on' };

async function startWorld(settings: readonly string[] = []): Promise<RedisWorld> {
  const world = await startRedisWorld(limitsOn, settings);
  started.push(world);
  await until(async () => (await degraded(world.api)).length === 0, 20_000);
  await world.caughtUp();
  return world;
}

async function degraded(api: TestApi): Promise<string[]> {
  const { status, body } = await api.call('GET', '/readyz');
  expect(status).toBe(200);
  return body.degraded ?? [];
}

/** Login, refresh and logout, each of which must succeed; answers the slowest, and the token. */
async function works(api: TestApi) {
  const times: number[] = [];
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const done = await work;
    times.push(performance.now() - startedAt);
    return done;
  };
  const { email } = await timed(api.register());
  const tokens = await timed(api.logIn({ email }));
  const refreshed = await timed(api.refresh(tokens.refresh_token));
  expect(refreshed.status).toBe(200);
  const token = refreshed.body.access_token;
  expect((await timed(api.call('POST', '/auth/logout', { token }))).status).toBe(204);
  expect(await api.verify(token)).toBe(401);
  return { claims: claimsOf(token), slowestMs: Math.max(...times) };
}

const said = (lines: readonly { msg: string }[], text: string) =>
  lines.filter(({ msg }) => msg.includes(text)).length;

/** What each fault must do to nobody; `heal` ends it. Answers what was revoked meanwhile. */
async function throughTheFault(
  { api, redis, lines, caughtUp }: RedisWorld,
  { begin, heal }: { begin: () => unknown; heal: () => unknown },
) {
  const failures = () =>
    api
      .logged()
      .filter(({ msg }) => msg.includes('Redis cannot be used'))
      .map(({ failure }) => failure);
  const before = failures().length;
  const noticed = () => said(lines, 'Redis cannot be used');
  const noticedBefore = noticed();
  await begin();
  const first = await works(api);
  await until(async () => (await degraded(api)).includes('redis'), 20_000);
  // Each process looks once a second: a fault that is over sooner may pass the worker by.
  await until(async () => noticed() > noticedBefore, 20_000);
  const during = await works(api);
  expect(first.slowestMs).toBeLessThan(3_000);
  expect(during.slowestMs).toBeLessThan(3_000);
  const saying = failures().slice(before);
  // Each kind of failure once: a refused password first breaks the connection.
  expect(saying).toEqual([...new Set(saying)]);
  await heal();
  await until(async () => (await degraded(api)).length === 0, 30_000);
  await caughtUp();
  const jtis = [first, during].map(({ claims }) => `blacklist:${claims.jti}`);
  expect(await redis.client.exists(...jtis)).toBe(2);
  await until(async () => said(api.logged(), 'Redis is back') > 0, 20_000);
  await until(async () => said(lines, 'Redis is back') > 0, 20_000);
}

describe('everything works while Redis', () => {
  it('is gone (kill -9) and comes back empty', async () => {
    const world = await startWorld();
    const { redis } = world;
    await throughTheFault(world, { begin: redis.kill9, heal: () => redis.restart() });
  });

  it('is frozen (SIGSTOP)', async () => {
    const world = await startWorld();
    await throughTheFault(world, { begin: world.redis.freeze, heal: world.redis.thaw });
  });

  it('is full (maxmemory, noeviction)', async () => {
    const world = await startWorld(['--maxmemory-policy', 'noeviction']);
    const { client } = world.redis;
    await throughTheFault(world, {
      begin: () => client.config('SET', 'maxmemory', '1'),
      heal: () => client.config('SET', 'maxmemory', '0'),
    });
  });

  it('has become a read-only replica', async () => {
    const world = await startWorld();
    const { client } = world.redis;
    await throughTheFault(world, {
      begin: () => client.replicaof('127.0.0.1', '1'),
      heal: () => client.replicaof('NO', 'ONE'),
    });
  });

  it('refuses the password', async () => {
    const world = await startWorld(['--requirepass', 'right']);
    const { redis } = world;
    await throughTheFault(world, {
      begin: async () => {
        await redis.client.config('SET', 'requirepass', 'another');
        await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      },
      heal: () => redis.client.config('SET', 'requirepass', 'right'),
    });
    expect(JSON.stringify(world.api.logged())).not.toContain('right@');
  });
});

describe('a node', () => {
  it('starts while nobody listens at REDIS_URL, and uses it once it is there', async () => {
    const redis: TestRedis = await startRedis();
    started.push(redis);
    await redis.kill9();
    const startedAt = performance.now();
    const api = await startTestApi({ ...limitsOn, REDIS_URL: redis.url });
    started.push(api);
    console.log(`started without Redis in ${(performance.now() - startedAt).toFixed(0)} ms`);
    await works(api);
    expect(await degraded(api)).toEqual(['redis']);
    await redis.restart();
    await until(async () => (await degraded(api)).length === 0, 20_000);
  });
});
