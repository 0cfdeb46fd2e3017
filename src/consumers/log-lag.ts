import type { Queryable } from '../eventlog/queryable.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';

/** How far a consumer at `checkpoint` is behind the newest event; the age is of the oldest it lacks. */
export async function lagBehindLog(
  readers: Queryable,
  checkpoint: number,
): Promise<{ readonly positions: number; readonly seconds: number }> {
  const { rows } = await readers.query({
    name: 'consumer-lag',
    text: `select
      (select pos from latchkey.events where pos > $1 order by pos desc limit 1) as newest,
      (select extract(epoch from clock_timestamp() - recorded_at) from latchkey.events
        where pos > $1 order by pos limit 1) as seconds`,
    values: [checkpoint],
  });
  const { newest, seconds } = rows[0]!;
  return {
    positions: newest === null ? 0 : safeInteger(newest) - checkpoint,
    seconds: seconds === null ? 0 : Math.max(0, Number(seconds)),
  };
}
