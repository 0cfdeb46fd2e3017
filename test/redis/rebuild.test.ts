import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectLeader } from '../../src/consumers/leader-connection.ts';
import { rebuildModel } from '../../src/consumers/redis-model/by-hand.ts';
import { checkModel } from '../../src/consumers/redis-model/check.ts';
import { RedisModelStore } from '../../src/consumers/redis-model/store.ts';
import { tryToLead } from '../../src/eventlog/leader.ts';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { connectedRedisLink, type RedisLink } from '../../src/platform/redis/link.ts';
import { silentLogger } from '../support/cluster.ts';
import { until } from '../support/fault-node.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import { claimsOf, type RedisWorld, startRedisWorld } from './world.ts';

let world: RedisWorld;
let link: RedisLink;
/** A session that has ended, whose tokens live. */
let endedId: string;

beforeAll(async () => {
  world = await startRedisWorld();
  link = await connectedRedisLink({ url: world.redis.url, name: 'test', log: silentLogger });
  endedId = await endSession();
  await world.caughtUp();
}, 60_000);
afterAll(async () => {
  link.close();
  await world.stop();
});

async function endSession(): Promise<string> {
  const { email } = await world.api.register();
  const { access_token: token } = await world.api.logIn({ email });
  await world.api.call('POST', '/auth/logout', { token });
  return claimsOf(token).sid!;
}

async function logName() {
  const guard = new LogGuard();
  await guard.check(world.api.node.cells.home.readers);
  return guard.logName;
}

async function rebuild(
  through: Pick<RedisLink, 'run'> = link,
  options: { readonly stalledMs?: number } = {},
) {
  const { readers } = world.api.node.cells.home;
  const connect = () => connectLeader(world.api.database.appUrl, 'test');
  const store = new RedisModelStore(through);
  return rebuildModel({ store, readers, log: await logName(), connect }, options);
}

/** What a service that fails closed would do with a token of the ended session. */
async function accepts(): Promise<boolean> {
  const { client } = world.redis;
  const [entry, epoch] = await client.mget(`blacklist:${endedId}`, 'latchkey:epoch');
  return epoch !== null && entry === null;
}

/** Runs `work`, and meanwhile asks as fast as it can; answers how often a dead token passed. */
async function acceptedDuring(work: () => Promise<unknown>): Promise<number> {
  let [accepted, isOver] = [0, false];
  const asking = (async () => {
    while (!isOver) if (await accepts()) accepted += 1;
  })();
  await work();
  isOver = true;
  await asking;
  return accepted;
}

describe('while the model is built anew', () => {
  // Fails when the epoch goes last, or comes back before the events are read again.
  it('a service that fails closed accepts no ended token at any step of the command', async () => {
    let accepted = 0;
    await rebuild({
      run: async (work, options) => {
        const done = await link.run(work, options);
        if (await accepts()) accepted += 1;
        return done;
      },
    });
    expect(accepted).toBe(0);
    await world.caughtUp();
    expect(await accepts()).toBe(false);
  });

  it('nor while the worker does it', async () => {
    const accepted = await acceptedDuring(async () => {
      for (let each = 0; each < 3; each += 1) {
        await world.redis.client.flushall();
        await until(async () => (await world.redis.client.exists('latchkey:epoch')) === 1, 20_000);
      }
    });
    expect(accepted).toBe(0);
  });

  // Fails when a worker that begins in the middle takes the model for a whole one.
  it('nor when the one who builds ends half-way', async () => {
    const { client } = world.redis;
    const { logId, logEpoch } = await logName();
    const accepted = await acceptedDuring(async () => {
      await client.flushall();
      await client.set('latchkey:model:checkpoint', `1 ${logId} ${logEpoch} 0 building`);
      await until(async () => (await client.exists('latchkey:epoch')) === 1, 20_000);
    });
    expect(accepted).toBe(0);
    expect(await client.exists(`blacklist:${endedId}`)).toBe(1);
  });
});

describe('the command beside a running worker', () => {
  // Fails when both delete what the other has begun: one then gives up.
  it('ends well each time, also while sessions end', async () => {
    const ended: string[] = [];
    const ending = (async () => {
      for (let each = 0; each < 20; each += 1) ended.push(await endSession());
    })();
    for (let each = 0; each < 8; each += 1) await rebuild();
    await ending;
    await world.caughtUp();
    const names = ended.map((sid) => `blacklist:${sid}`);
    expect(await world.redis.client.exists(...names)).toBe(names.length);
    const { readers } = world.api.node.cells.home;
    const store = new RedisModelStore(link);
    expect(await checkModel({ store, readers, log: await logName() })).toEqual([]);
  }, 120_000);

  it('is done when the model is whole: there is nothing to wait for', async () => {
    await rebuild();
    const { client } = world.redis;
    expect(await client.exists('latchkey:epoch', `blacklist:${endedId}`)).toBe(2);
  });
});

describe('a step of the model', () => {
  // Fails when the second try finds its own checkpoint, and takes it for somebody else's.
  it('is done when it is repeated after a lost answer', async () => {
    const network = await openTcpProxy(world.redis.url);
    const url = `${network.url}/1`;
    const other = await connectedRedisLink({ url, name: 'test', log: silentLogger });
    const store = new RedisModelStore(other);
    const log = await logName();
    const begun = { ...log, pos: 0, building: true };
    expect(await store.advance((await store.clear(log))!, begun, [])).toBe(true);
    const many = Array.from({ length: 1_500 }, (_, n) => ['SET', `blacklist:${n}`, 1] as const);
    const step = () => store.advance(begun, { ...begun, pos: 7, building: false }, many);
    const lost = network.loseAnswerTo('blacklist:1499');
    await expect(step()).rejects.toMatchObject({ name: 'RedisUnavailableError' });
    await lost;
    await until(async () => other.failure === null, 20_000);
    await until(async () => step().catch(() => false), 5_000);
    expect(await store.blacklisted(['0', '1499'])).toBe(2);
    other.close();
    await network.close();
  });
});

// Last: they end the worker.
describe('the command beside a worker that leads and does not work', () => {
  it('says so after a while, and does the work itself once that worker has ended', async () => {
    await world.worker.stop();
    const idle = await connectLeader(world.api.database.appUrl, 'test');
    expect(await tryToLead(idle.client, 'redisModel')).toBe(true);
    await expect(rebuild(link, { stalledMs: 200 })).rejects.toThrow(
      'leads the read model in Redis and does not build it',
    );
    expect(await accepts()).toBe(false);

    const rebuilding = rebuild();
    await idle.close();
    expect(await rebuilding).toMatchObject({ byWorker: false });
    expect(await world.redis.client.exists('latchkey:epoch', `blacklist:${endedId}`)).toBe(2);
  });
});
