import type { Counter, Gauge, Registry } from 'prom-client';
import { counter, gauge } from '../platform/metrics/registry.ts';
import { aloneReasons } from './shared-counts.ts';

/** Of every process with Redis. */
export function redisUp(registry: Registry): Gauge<'part'> {
  return gauge(registry, {
    name: 'latchkey_redis_up',
    help: 'Whether this part of the process can use Redis: 1 or 0',
    labels: ['part'],
  });
}

/** Of a node that counts rate limits together with others. */
export function rateLimitsAlone(registry: Registry): Counter<'reason'> {
  const alone = counter(registry, {
    name: 'latchkey_rate_limits_alone_total',
    help: 'Decisions on a rate limit that this node made without the others, by why',
    labels: ['reason'],
  });
  // A rate needs a first value.
  for (const reason of aloneReasons) alone.inc({ reason }, 0);
  return alone;
}
