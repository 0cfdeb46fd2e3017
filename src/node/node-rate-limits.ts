import type { Config } from './config.ts';
import type { NodeMetrics } from './metrics.ts';
import { createRateLimits, type RateLimits } from './rate-limits.ts';
import type { NodeRedis } from './redis.ts';
import { rateLimitsAlone } from './redis-metrics.ts';
import type { ServerSecrets } from './server-secrets.ts';
import { createSharedRateLimits } from './shared-rate-limits.ts';

interface Parts {
  readonly redis: NodeRedis | null;
  readonly secrets: Pick<ServerSecrets, 'recordSealKey'>;
  readonly metrics: Pick<NodeMetrics, 'registry' | 'rateLimited'>;
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
