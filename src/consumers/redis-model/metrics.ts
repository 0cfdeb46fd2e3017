import type { Counter, Gauge, Registry } from 'prom-client';
import { counter, gauge } from '../../platform/metrics/registry.ts';

export interface RedisModelMetrics {
  readonly lagSeconds: Gauge;
  readonly lagPositions: Gauge;
  readonly stopped: Gauge<'why'>;
  readonly rebuilds: Counter<'why'>;
}

export function redisModelMetrics(registry: Registry): RedisModelMetrics {
  return {
    lagSeconds: gauge(registry, {
      name: 'latchkey_redis_model_lag_seconds',
      help: 'Age of the oldest event that the read model in Redis does not have; 0 when it has all',
    }),
    lagPositions: gauge(registry, {
      name: 'latchkey_redis_model_lag_positions',
      help: 'Positions of the log between the read model in Redis and the newest event',
    }),
    stopped: gauge(registry, {
      name: 'latchkey_redis_model_stopped',
      help: 'Whether this worker leads the read model in Redis and cannot follow the log, by why',
      labels: ['why'],
    }),
    rebuilds: counter(registry, {
      name: 'latchkey_redis_model_rebuilds_total',
      help: 'How often this worker built the read model in Redis anew, by why',
      labels: ['why'],
    }),
  };
}
