import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { settledPosition } from './fence.ts';
import type { Queryable } from './queryable.ts';

/**
 * `duplicate`, `gap`: an event's version is not one more than that of the stream's event before it.
 * `head`: the row of the stream in latchkey.streams does not say what its events say. `orphan`: no
 * stream claims the event.
 */
export interface LogFinding {
  readonly problem: 'duplicate' | 'gap' | 'head' | 'orphan';
  readonly stream_id: string;
  readonly pos: number | null;
  readonly version: number | null;
}

export interface LogCheck {
  readonly checked: number;
  /** The first ones; `count` says how many there are. */
  readonly findings: readonly LogFinding[];
  readonly count: number;
}

export interface LogCheckOptions {
  /** Events or streams per statement. */
  readonly batchSize?: number;
  /** How many statements one incremental check may take; the next one goes on from there. */
  readonly batchesMax?: number;
  /** How long to wait for appends under way; after that, nothing is checked this time. */
  readonly settleMs?: number;
  readonly signal?: AbortSignal;
}

const consumer = 'log.check';
export const findingsMax = 20;

/**
 * Checks the events that were settled since the last call, each against the event before it and
 * against its stream, and saves where it stands. It does not move past damage, so the finding comes
 * again until somebody has seen to it. `client`: one connection.
 */
export async function checkNewEvents(
  client: Queryable,
  { batchSize = 5_000, batchesMax = 200, settleMs = 5_000, signal }: LogCheckOptions = {},
): Promise<LogCheck> {
  const settled = await settledPosition(client, settleMs);
  let after = await readCheckpoint(client);
  let checked = 0;
  for (let batch = 0; batch < batchesMax && signal?.aborted !== true; batch += 1) {
    const { rows } = await client.query({
      name: 'check-new-events',
      text: newEventsSql,
      values: [after, settled, batchSize, findingsMax],
    });
    const { events, last, count, findings } = rows[0]!;
    checked += safeInteger(events);
    if (safeInteger(count) > 0) {
      return { checked, count: safeInteger(count), findings: findings as LogFinding[] };
    }
    if (last !== null) {
      after = safeInteger(last);
      await saveCheckpoint(client, after);
    }
    if (safeInteger(events) < batchSize) break;
  }
  return { checked, count: 0, findings: [] };
}

/** Findings `f` as one row. */
export const report = (events: string, last: string, findingsLimit: string) => `
  select ${events} as events, ${last} as last, (select count(*) from f) as count, (
    select coalesce(jsonb_agg(to_jsonb(x)), '[]') from (select * from f limit ${findingsLimit}) x) as findings`;

/**
 * The version before a stream's first event in the batch comes from the index on (stream_id,
 * version). A stream may have moved on since: its head is compared only where the batch holds its
 * last event.
 */
const newEventsSql = `
  with e as materialized (
    select pos, kind, stream_id, version from latchkey.events
    where pos > $1 and pos <= $2 order by pos limit $3),
  t as materialized (
    select b.*, s.version as head, s.first_pos, s.last_pos, coalesce((
        select max(o.version) from latchkey.events o where o.kind = b.kind and o.stream_id = b.stream_id
          and o.pos >= s.first_pos and o.pos < b.low), 0) as before
    from (select stream_id, kind, min(pos) as low, max(pos) as high from e group by stream_id, kind) b
    left join latchkey.streams s on s.stream_id = b.stream_id and s.kind = b.kind),
  chain as (
    select e.stream_id, e.pos, e.version,
      coalesce(lag(e.version) over (partition by e.stream_id order by e.pos), t.before) + 1 as expected
    from e join t on t.stream_id = e.stream_id and t.kind = e.kind where t.head is not null),
  f as (
    select case when version < expected then 'duplicate' else 'gap' end as problem, stream_id, pos, version
    from chain where version <> expected
    union all
    select 'orphan', stream_id, high, null from t where head is null
    union all
    select 'head', t.stream_id, t.high, e.version from t join e on e.pos = t.high
    where t.head is not null and (t.low < t.first_pos or t.high > t.last_pos or e.version > t.head
      or (t.high = t.last_pos and e.version <> t.head)))
  ${report('(select count(*) from e)', '(select max(pos) from e)', '$4')}`;

/** 0 in a log that was never checked, or not since it began a new epoch. */
async function readCheckpoint(client: Queryable): Promise<number> {
  const { rows } = await client.query({
    text: `select c.pos from latchkey.checkpoints c join latchkey.log_meta m using (log_id, log_epoch)
      where c.consumer = $1`,
    values: [consumer],
  });
  return rows[0] === undefined ? 0 : safeInteger(rows[0].pos);
}

async function saveCheckpoint(client: Queryable, pos: number): Promise<void> {
  await client.query({
    name: 'save-log-check',
    text: `insert into latchkey.checkpoints as c (consumer, pos, log_id, log_epoch, updated_at)
      select $1, $2, log_id, log_epoch, clock_timestamp() from latchkey.log_meta
      on conflict (consumer, log_id) do update
        set pos = excluded.pos, log_epoch = excluded.log_epoch, updated_at = excluded.updated_at`,
    values: [consumer, pos],
  });
}
