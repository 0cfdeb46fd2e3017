import type { Registry } from 'prom-client';
import type { LogGuard } from '../../eventlog/log-guard.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import type { NodeRedis } from '../../node/redis.ts';
import { connectLeader } from '../leader-connection.ts';
import { watchLag } from './lag.ts';
import { redisModelMetrics } from './metrics.ts';
import { RedisModel, type RedisModelOptions } from './redis-model.ts';
import { RedisModelStore } from './store.ts';

export interface RedisModelParts {
  readonly redis: NodeRedis;
  /** Past any pooler. */
  readonly databaseUrl: string;
  readonly guard: LogGuard;
  readonly readers: SealedReaders;
  readonly registry: Registry;
  readonly log: RedisModelOptions['log'];
}

/** Follows the log from now on, on one connection of its own. */
export function startRedisModel(parts: RedisModelParts): {
  /** `redis_model` and why, once the model does not follow the log. */
  degraded(): readonly string[];
  stop(): Promise<void>;
} {
  const { redis, databaseUrl, guard, readers, registry } = parts;
  const metrics = redisModelMetrics(registry);
  const store = new RedisModelStore(redis.link);
  const connect = () => connectLeader(databaseUrl, 'latchkey redis model');
  const model = new RedisModel({ ...parts, store, connect, metrics });
  const lag = watchLag({ store, readers, log: guard.logName, metrics });
  model.start();
  return {
    degraded: () => {
      const why = model.trouble ?? (lag.isLasting() ? 'lag' : null);
      return why === null ? [] : ['redis_model', `redis_model_${why}`];
    },
    stop: async () => {
      lag.stop();
      await model.stop();
    },
  };
}
