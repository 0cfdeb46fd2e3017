import { pino } from 'pino';
import { Registry } from 'prom-client';
import { byProgram } from '../../src/app/by.ts';
import { startWorker, type Worker, type WorkerOptions } from '../../src/worker/worker.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { until } from '../support/fault-node.ts';
import { modelPosition, startRedis, type TestRedis } from '../support/redis.ts';

export interface RedisWorld {
  readonly redis: TestRedis;
  readonly api: TestApi;
  readonly worker: Worker;
  /** What the worker has logged. */
  readonly lines: readonly { msg: string; [field: string]: unknown }[];
  /** A metric of the worker, 0 while it is absent. */
  metric(name: string): Promise<number>;
  /** Waits until the model in Redis is whole and at the newest event of the log. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

type WorkerChanges = Partial<Pick<WorkerOptions, 'now' | 'directUrl'>>;

export const testBy = byProgram('system', 'cli');

/** A node and a worker with a real Redis, in this process. */
export async function startRedisWorld(
  env: Record<string, string> = {},
  settings: readonly string[] = [],
  workerChanges: (databaseUrl: string) => Promise<WorkerChanges> = async () => ({}),
): Promise<RedisWorld> {
  const redis = await startRedis(settings);
  const api = await startTestApi({
    REDIS_URL: redis.url,
    DEVICE_POLICY_WEB: 'unlimited',
    ...env,
  });
  const lines: { msg: string }[] = [];
  const registry = new Registry();
  const { config, keyWrap } = api.node;
  const worker = await startWorker({
    ...{ config, keyWrap, registry, redisUrl: redis.url },
    databaseUrl: api.database.appUrl,
    ...(await workerChanges(api.database.appUrl)),
    log: pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) }),
  });
  const head = async () => {
    const { rows } = await api.node.cells.home.readers.query({
      text: 'select coalesce(max(pos), 0)::text as head from latchkey.events',
    });
    return Number(rows[0]!.head);
  };
  return {
    ...{ redis, api, worker, lines },
    metric: async (name) => {
      const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
      return values.reduce((sum, { value }) => sum + value, 0);
    },
    caughtUp: async () => {
      const target = await head();
      await until(async () => (await modelPosition(redis)) >= target, 20_000, 5);
    },
    stop: async () => {
      await worker.stop();
      await api.stop();
      await redis.stop();
    },
  };
}

export function claimsOf(token: string): Record<string, string & number> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8'));
}
