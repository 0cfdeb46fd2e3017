import type { LogName } from '../../eventlog/log-identity.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { safeInteger } from '../../platform/postgres/safe-integer.ts';
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

/**
 * Measures each second how far the model is behind the log, on every worker and from the log's
 * side: the figure grows also when nobody works on the model. While Redis is away the last
 * checkpoint that was read counts.
 */
export function watchLag(options: LagOptions): { stop(): void } {
  let known = 0;
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      known = await checkpointOf(options, known);
      await measure(options, known);
    } catch {
      // Postgres is away, which its own metrics say: the figures stay.
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  void look();
  return { stop: () => clearInterval(timer) };
}

async function checkpointOf({ store, log }: LagOptions, known: number): Promise<number> {
  try {
    return positionIn((await store.read()).text, log) ?? 0;
  } catch {
    return known;
  }
}

async function measure({ readers, metrics }: LagOptions, checkpoint: number): Promise<void> {
  const { rows } = await readers.query({
    name: 'redis-model-lag',
    text: `select
      (select pos from latchkey.events where pos > $1 order by pos desc limit 1) as newest,
      (select extract(epoch from clock_timestamp() - recorded_at) from latchkey.events
        where pos > $1 order by pos limit 1) as seconds`,
    values: [checkpoint],
  });
  const { newest, seconds } = rows[0]!;
  metrics.lagPositions.set(newest === null ? 0 : safeInteger(newest) - checkpoint);
  metrics.lagSeconds.set(seconds === null ? 0 : Math.max(0, Number(seconds)));
}
