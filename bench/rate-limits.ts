import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';
import { PostgresCounts } from '../src/node/postgres-counts.ts';
import type { Charge } from '../src/node/rate-limits.ts';
import { redisCounts } from '../src/node/redis-counts.ts';
import { createPools } from '../src/platform/postgres/pool.ts';
import { SlidingCounts } from '../src/platform/sliding-counts.ts';
import { silentLogger } from '../test/support/cluster.ts';
import { percentile } from '../test/support/fault-timing.ts';
import { startRedis } from '../test/support/redis.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';

// `npx node --expose-gc bench/rate-limits.ts`: what one login attempt (three rules) costs in each
// store, in turns, so that a slow moment of the machine meets all; and what the memory of a process
// grows to by keys that a stranger invents.

const { values: flags } = parseArgs({
  options: {
    attempts: { type: 'string', default: '2000' },
    keys: { type: 'string', default: '1000000' },
  },
});
const attempts = Number(flags.attempts);
const keys = Number(flags.keys);
const windowMs = 60_000;

const chargesOf = (who: number): Charge[] =>
  ['name', 'address', 'network'].map((per) => ({
    key: `${per}-${who}`,
    count: 1_000_000,
    windowMs,
  }));

type Store = (charges: readonly Charge[]) => Promise<unknown>;

async function main(): Promise<void> {
  console.log(`${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}`);
  await memory();
  await using opened = new AsyncDisposableStack();
  const postgres = opened.adopt(await startBenchPostgres(), (server) => server.remove());
  const redis = opened.adopt(await startRedis(), (server) => server.stop());
  const options = { databaseUrl: postgres.appUrl, readers: 1, short: 2, applicationName: 'bench' };
  const pools = opened.adopt(createPools({ ...options, logger: silentLogger }), (one) => one.end());
  const table = new PostgresCounts(pools.short!, { answerMs: 60_000 });
  const client = opened.adopt(new Redis(redis.url), (one) => one.disconnect());
  // Without the time limit of a node: a slow answer must not count as a fast one.
  const script = redisCounts({ run: (work) => work(client) });
  const stores: Record<string, Store> = {
    'Redis, the script of Latchkey': (charges) => script.count('take', charges),
    'Redis, rate-limiter-flexible': flexibleRedis(client),
    'Postgres, rate-limiter-flexible': (charges) => table.count('take', charges),
  };
  const times = Object.fromEntries(Object.keys(stores).map((name) => [name, [] as number[]]));
  for (let each = 0; each < attempts; each += 1) {
    for (const [name, store] of Object.entries(stores)) {
      const startedAt = performance.now();
      await store(chargesOf(each % 100));
      times[name]!.push(performance.now() - startedAt);
    }
  }
  for (const [name, all] of Object.entries(times)) {
    const [p50, p99] = [0.5, 0.99].map((each) => percentile(all, each).toFixed(2));
    console.log(`${name}: one after another p50 ${p50} ms, p99 ${p99} ms`);
  }
  for (const [name, store] of Object.entries(stores)) {
    const startedAt = performance.now();
    const lane = async (first: number) => {
      for (let each = first; each < attempts * 2; each += 32) await store(chargesOf(each % 100));
    };
    await Promise.all(Array.from({ length: 32 }, (_, first) => lane(first)));
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(`${name}: 32 at a time ${Math.round((attempts * 2) / seconds)} attempts/s`);
  }
}

/** As `PostgresCounts` would do it: a counter for each window, and the one before it. */
function flexibleRedis(storeClient: Redis): Store {
  const limiter = new RateLimiterRedis({ storeClient, keyPrefix: '', points: 1, duration: 120 });
  return (charges) =>
    Promise.all(
      charges.map(async ({ key }) => {
        const index = Math.floor(Date.now() / windowMs);
        const { consumedPoints } = await limiter.penalty(`${key} ${index}`, 1);
        if (consumedPoints > 1e6 * (Date.now() / windowMs - index)) {
          await limiter.get(`${key} ${index - 1}`);
        }
      }),
    );
}

async function memory(): Promise<void> {
  const used = async () => {
    globalThis.gc?.();
    await delay(100);
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return (heapUsed + arrayBuffers) / 2 ** 20;
  };
  const before = await used();
  const sketch = new SlidingCounts({ windowMs });
  for (let each = 0; each < keys; each += 1) sketch.add(`invented-${each}@example.com`);
  const withSketch = await used();
  const library = new RateLimiterMemory({ points: 20, duration: 3_600 });
  for (let each = 0; each < keys; each += 1) {
    await library.consume(`invented-${each}@example.com`).catch(() => {});
  }
  const withLibrary = await used();
  console.log(`${keys} keys: sketch ${(withSketch - before).toFixed(1)} MiB,`);
  console.log(`rate-limiter-flexible in memory ${(withLibrary - withSketch).toFixed(1)} MiB`);
  sketch.count('kept alive');
  await library.get('kept alive');
  for (let each = 0; each < keys; each += 1) await library.delete(`invented-${each}@example.com`);
}

await main();
