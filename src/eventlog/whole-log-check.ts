import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { findingsMax, type LogCheck, type LogFinding, report } from './log-check.ts';
import type { Queryable } from './queryable.ts';

export interface WholeLogCheck extends LogCheck {
  /** False when time ran out: the next call goes on from there. */
  readonly complete: boolean;
  /** Problems found in this round so far, by earlier calls too. */
  readonly countInRound: number;
}

export interface WholeLogCheckOptions {
  /** Streams or events per statement. */
  readonly batchSize?: number;
  /** When to stop and save the place. */
  readonly budgetMs?: number;
  readonly signal?: AbortSignal;
}

/** Where a round stands: the part, the last stream or position looked at, what it found so far. */
interface Place {
  readonly part: number;
  readonly cursor: string | number;
  readonly found: number;
}

const consumer = 'log.check-whole';

/**
 * Checks every stream from its first event to its last, and every event for a stream that claims
 * it. Each statement sees one moment of the log, so appends may go on meanwhile. A log that is too
 * long for one call is checked in several: each goes on where the last one stopped, and a round
 * that is complete is followed by the next one, as damage may come later.
 */
export async function checkWholeLog(
  client: Queryable,
  { batchSize, budgetMs = Number.POSITIVE_INFINITY, signal }: WholeLogCheckOptions = {},
): Promise<WholeLogCheck> {
  const deadline = performance.now() + budgetMs;
  const findings: LogFinding[] = [];
  let [checked, count] = [0, 0];
  let place = await readPlace(client);
  while (place.part < parts.length) {
    if (performance.now() >= deadline || signal?.aborted === true) break;
    const { text, batch, counts } = parts[place.part]!;
    const { rows } = await client.query({
      text,
      values: [place.cursor, batchSize ?? batch, findingsMax],
    });
    const row = rows[0]!;
    if (counts) checked += safeInteger(row.events);
    count += safeInteger(row.count);
    findings.push(...(row.findings as LogFinding[]));
    place = nextPlace(place, row.last as string | null, safeInteger(row.count));
    await savePlace(client, place);
  }
  const complete = place.part === parts.length;
  if (complete) await savePlace(client, start);
  findings.splice(findingsMax);
  return { checked, count, findings, complete, countInRound: place.found };
}

function nextPlace({ part, cursor, found }: Place, last: string | null, count: number): Place {
  if (last !== null) return { part, cursor: last ?? cursor, found: found + count };
  return { part: part + 1, cursor: parts[part + 1]?.from ?? 0, found: found + count };
}

const wholeStreams = {
  counts: false,
  // A stream may have thousands of events, and a statement has seconds.
  batch: 250,
  from: '00000000-0000-0000-0000-000000000000',
  text: `
  with t as materialized (
    select stream_id, kind, version as head, first_pos, last_pos from latchkey.streams
    where stream_id > $1::uuid and kind > 0 order by stream_id limit $2),
  chain as materialized (
    select t.stream_id, o.pos, o.version,
      coalesce(lag(o.version) over (partition by t.stream_id order by o.pos), 0) + 1 as expected
    from t join latchkey.events o
      on o.kind = t.kind and o.stream_id = t.stream_id and o.pos between t.first_pos and t.last_pos),
  ends as (
    select t.stream_id, t.head, t.first_pos, t.last_pos, min(c.pos) as low, max(c.pos) as high,
      max(c.version) as top
    from t left join chain c on c.stream_id = t.stream_id
    group by t.stream_id, t.head, t.first_pos, t.last_pos),
  f as (
    select case when version < expected then 'duplicate' else 'gap' end as problem, stream_id, pos, version
    from chain where version <> expected
    union all
    select 'head', stream_id, high, top from ends
    where (head, first_pos, last_pos) is distinct from (top, low, high))
  ${report('(select count(*) from chain)', '(select max(stream_id::text) from t)', '$3')}`,
};

const orphanEvents = {
  counts: true,
  batch: 10_000,
  from: 0,
  text: `
  with e as materialized (
    select pos, kind, stream_id, version from latchkey.events where pos > $1 order by pos limit $2),
  f as (
    select 'orphan' as problem, e.stream_id, e.pos, e.version from e
    left join latchkey.streams s on s.stream_id = e.stream_id and s.kind = e.kind
      and e.pos between s.first_pos and s.last_pos
    where s.stream_id is null)
  ${report('(select count(*) from e)', '(select max(pos) from e)', '$3')}`,
};

const parts = [wholeStreams, orphanEvents];
const start: Place = { part: 0, cursor: wholeStreams.from, found: 0 };

/** The start of a round, too, in a log that began a new epoch. */
async function readPlace(client: Queryable): Promise<Place> {
  const { rows } = await client.query({
    text: `select c.state from latchkey.checkpoints c join latchkey.log_meta m
        using (log_id, log_epoch)
      where c.consumer = $1 and c.state is not null`,
    values: [consumer],
  });
  return (rows[0]?.state as Place | undefined) ?? start;
}

/** `pos` stays 0: this consumer does not follow the log. */
async function savePlace(client: Queryable, place: Place): Promise<void> {
  await client.query({
    name: 'save-whole-log-check',
    text: `insert into latchkey.checkpoints as c (consumer, pos, log_id, log_epoch, updated_at, state)
      select $1, 0, log_id, log_epoch, clock_timestamp(), $2 from latchkey.log_meta
      on conflict (consumer, log_id) do update
        set log_epoch = excluded.log_epoch, updated_at = excluded.updated_at,
          state = excluded.state`,
    values: [consumer, JSON.stringify(place)],
  });
}
