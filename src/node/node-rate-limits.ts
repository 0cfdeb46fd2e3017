import type { PostgresPool } from '../platform/postgres/pool.ts';
import type { RedisLink } from '../platform/redis/link.ts';
import type { Config } from './config.ts';
import type { NodeMetrics } from './metrics.ts';
import { PostgresCounts } from './postgres-counts.ts';
import { createRateLimits, type RateLimits } from './rate-limits.ts';
import { redisCounts } from './redis-counts.ts';
import { rateLimitsAlone } from './redis-metrics.ts';
import type { ServerSecrets } from './server-secrets.ts';
import type { SharedCounts } from './shared-counts.ts';
import { createSharedRateLimits } from './shared-rate-limits.ts';

interface Stores {
  /** Of a Redis, where there is one. */
  readonly redis: { readonly link: Pick<RedisLink, 'run'> } | null;
  /** With `RATE_LIMIT_STORE=postgres`. */
  readonly pools: { readonly short: PostgresPool | null };
}

interface Parts extends Stores {
  readonly secrets: Pick<ServerSecrets, 'recordSealKey'>;
  readonly metrics: Pick<NodeMetrics, 'registry' | 'rateLimited'>;
}

/** The rate limits of a node: counted together with the others by `RATE_LIMIT_STORE`. */
export function nodeRateLimits(
  { http }: Pick<Config, 'http'>,
  { secrets, metrics, ...stores }: Parts,
): RateLimits {
  const onLimited = (action: string) => metrics.rateLimited.inc({ action });
  const local = createRateLimits({ enabled: http.rateLimits, onLimited });
  const counts = http.rateLimits ? sharedCounts(http.rateLimitStore, stores) : null;
  if (counts === null) return local;
  const alone = rateLimitsAlone(metrics.registry);
  return createSharedRateLimits({
    local,
    counts,
    secret: secrets.recordSealKey,
    onLimited,
    onAlone: (reason) => alone.inc({ reason }),
  });
}

function sharedCounts(
  store: Config['http']['rateLimitStore'],
  { redis, pools }: Stores,
): SharedCounts | null {
  if (store === 'redis' && redis !== null) return redisCounts(redis.link);
  if (store === 'postgres' && pools.short !== null) return new PostgresCounts(pools.short);
  return null;
}
