import type { LogName } from '../../eventlog/log-identity.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { lagBehindLog } from '../log-lag.ts';
import { positionIn } from './checkpoint.ts';
import type { RedisModelMetrics } from './metrics.ts';
import type { RedisModelStore } from './store.ts';

export interface LagOptions {
  readonly store: Pick<RedisModelStore, 'read'>;
  readonly readers: Queryable;
  readonly log: LogName;
  readonly metrics: Pick<RedisModelMetrics, 'lagSeconds' | 'lagPositions'>;
}

const lookMs = 1_000;
/** A worker that works is far below. A model that is built may be above for as long as it takes. */
export const longLagSeconds = 10;
const lastingLooks = 10;

interface LagWatch {
  /** Whether the model has been far behind at each of the last looks. */
  isLasting(): boolean;
  stop(): void;
}

/**
 * Measures each second how far the model is behind the log, on every worker and from the log's
 * side: the figure grows also when nobody works on the model. While Redis is away the last
 * checkpoint that was read counts.
 */
export function watchLag(options: LagOptions): LagWatch {
  let known = 0;
  let looksBehind = 0;
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      known = await checkpointOf(options, known);
      const seconds = await measure(options, known);
      looksBehind = seconds > longLagSeconds ? looksBehind + 1 : 0;
    } catch {
      // Postgres is away, which its own metrics say: the figures stay.
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  void look();
  return {
    isLasting: () => looksBehind >= lastingLooks,
    stop: () => clearInterval(timer),
  };
}

async function checkpointOf({ store, log }: LagOptions, known: number): Promise<number> {
  try {
    return positionIn((await store.read()).text, log) ?? 0;
  } catch {
    return known;
  }
}

/** Answers the seconds. */
async function measure({ readers, metrics }: LagOptions, checkpoint: number): Promise<number> {
  const { positions, seconds } = await lagBehindLog(readers, checkpoint);
  metrics.lagPositions.set(positions);
  metrics.lagSeconds.set(seconds);
  return seconds;
}
