import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watchLag } from '../../src/consumers/redis-model/lag.ts';
import { redisModelMetrics } from '../../src/consumers/redis-model/metrics.ts';
import { RedisModelStore } from '../../src/consumers/redis-model/store.ts';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { connectedRedisLink } from '../../src/platform/redis/link.ts';
import { silentLogger } from '../support/cluster.ts';
import { until } from '../support/fault-node.ts';
import { claimsOf, type RedisWorld, startRedisWorld } from './world.ts';

let world: RedisWorld;

beforeAll(async () => {
  world = await startRedisWorld();
  await world.caughtUp();
}, 60_000);
afterAll(() => world.stop());

const degraded = async () => (await world.worker.readiness()).degraded ?? [];
const stopped = () => world.metric('latchkey_redis_model_stopped');

async function endSession(): Promise<string> {
  const { email } = await world.api.register();
  const { access_token: token } = await world.api.logIn({ email });
  await world.api.call('POST', '/auth/logout', { token });
  return claimsOf(token).sid!;
}

const said = (reason: string) => world.lines.filter(({ why }) => why === reason).length;

/** What readiness and the metric say while `why` lasts, and after `heal`. */
async function isSaid(why: string, heal: () => Promise<unknown>): Promise<void> {
  const named = ['redis_model', `redis_model_${why}`];
  const saidBefore = said(why);
  await until(async () => (await degraded()).length > 0, 20_000);
  expect(await degraded()).toEqual(named);
  expect(await stopped()).toBe(1);
  expect(said(why)).toBe(saidBefore + 1);
  await heal();
  await until(async () => (await degraded()).length === 0, 20_000);
  expect(await stopped()).toBe(0);
}

// Fails when readiness knows an unreadable event only.
describe('the readiness of a worker says that the model does not follow the log', () => {
  it('since Redis holds the model of another log', async () => {
    const { client } = world.redis;
    await client.set('latchkey:model:checkpoint', `1 ${newId()} ${newId()} 7`);
    await isSaid('foreign', () => client.del('latchkey:model:checkpoint'));
    await world.caughtUp();
  });

  it('since Redis refuses its commands', async () => {
    const acl = (rule: string) => world.redis.client.call('ACL', 'SETUSER', 'default', rule);
    await acl('resetkeys');
    await acl('~latchkey:*');
    const sid = await endSession();
    await isSaid('refused', () => acl('~*'));
    await world.caughtUp();
    expect(await world.redis.client.exists(`blacklist:${sid}`)).toBe(1);
  });

  it('since Redis refuses to say where it is, also while nothing happens', async () => {
    const acl = (rule: string) => world.redis.client.call('ACL', 'SETUSER', 'default', rule);
    await acl('-mget');
    await isSaid('refused', () => acl('+mget'));
  });

  it('and not for one lost connection', async () => {
    await endSession();
    await world.redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await endSession();
    await world.caughtUp();
    expect((await degraded()).filter((name) => name.startsWith('redis_model'))).toEqual([]);
    expect(await stopped()).toBe(0);
  });
});

// Last: it ends the worker.
it('a model that nobody works on is far behind, from the side of the log', async () => {
  await world.worker.stop();
  await endSession();
  const { readers } = world.api.node.cells.home;
  const guard = new LogGuard();
  await guard.check(readers);
  const { url } = world.redis;
  const link = await connectedRedisLink({ url, name: 'test', log: silentLogger });
  const store = new RedisModelStore(link);
  const metrics = redisModelMetrics(new Registry());
  const lag = watchLag({ store, readers, log: guard.logName, metrics });
  expect(lag.isLasting()).toBe(false);
  await until(async () => lag.isLasting(), 50_000);
  expect((await metrics.lagSeconds.get()).values[0]!.value).toBeGreaterThan(10);
  lag.stop();
  link.close();
}, 60_000);
