import type { Metrics } from '../platform/metrics/metrics.ts';
import type { Pools } from '../platform/postgres/pool.ts';
import type { Node } from './node.ts';
import type { NodeMemory } from './node-memory.ts';

/** Tells the metrics where to look when somebody scrapes. */
export function observe(
  metrics: Metrics,
  { pools, memory, node }: { pools: Pools; memory: NodeMemory; node: Node },
): void {
  const instant = () => ({ now: Date.now(), monotonicNow: performance.now() });
  const age = () => memory.lease.ageSeconds(instant());
  Object.assign(metrics.sources, {
    tailAgeSeconds: age,
    revocationPollAgeSeconds: age,
    unusableKeys: () => memory.privateKeys.unusable.length,
    leaseValid: () => memory.lease.isFresh(instant()),
    passwordQueueDepth: () => node.hasher.queued,
    pools: { writers: () => pools.writers.counts(), readers: () => pools.readers.counts() },
  });
}
