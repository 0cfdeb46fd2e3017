import type { Registry } from 'prom-client';
import { counter } from '../platform/metrics/registry.ts';
import { redisUnavailableReasons } from '../platform/redis/link.ts';
import type { Config } from './config.ts';
import type { NodeMetrics } from './metrics.ts';
import { createRateLimits, type RateLimits } from './rate-limits.ts';
import type { NodeRedis } from './redis.ts';
import type { ServerSecrets } from './server-secrets.ts';
import { createSharedRateLimits } from './shared-rate-limits.ts';

interface Parts {
  readonly redis: NodeRedis | null;
  readonly secrets: Pick<ServerSecrets, 'recordSealKey'>;
  readonly metrics: Pick<NodeMetrics, 'registry' | 'rateLimited'>;
}

/** Of a node with Redis only. */
export function rateLimitsAlone(registry: Registry) {
  const alone = counter(registry, {
    name: 'latchkey_rate_limits_alone_total',
    help: 'Decisions on a rate limit that this node made without Redis, by why',
    labels: ['reason'],
  });
  // A rate needs a first value.
  for (const reason of redisUnavailableReasons) alone.inc({ reason }, 0);
  return alone;
}

/** The rate limits of a node: shared with the others where there is a Redis. */
export function nodeRateLimits(
  { http }: Pick<Config, 'http'>,
  { redis, secrets, metrics }: Parts,
): RateLimits {
  const onLimited = (action: string) => metrics.rateLimited.inc({ action });
  const local = createRateLimits({ enabled: http.rateLimits, onLimited });
  if (redis === null || !http.rateLimits) return local;
  const alone = rateLimitsAlone(metrics.registry);
  return createSharedRateLimits({
    local,
    link: redis.link,
    secret: secrets.recordSealKey,
    onLimited,
    onAlone: (reason) => alone.inc({ reason }),
  });
}
