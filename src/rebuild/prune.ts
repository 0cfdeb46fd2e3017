import { settledPosition } from '../eventlog/fence.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { toTimestamp } from '../tables/columns.ts';

/**
 * `revocation_epochs`: the revocations that outlive a token of the longest life anybody may
 * configure, and may go earlier where shorter lives are configured.
 */
export type Pruning = 'revocations' | 'revocation_epochs' | 'sessions';

interface PruningRule {
  readonly table: 'revocations' | 'sessions';
  readonly key: readonly string[];
  /** As an index has them: an instant, then what tells rows of one instant apart. */
  readonly orderedBy: readonly [instant: string, tie: string];
  readonly tieFrom: string | number;
  /** Which rows `p` are gone, as SQL over the watermark `w` with its `at` and `pos`. */
  readonly predicate: string;
}

const rules: Readonly<Record<Pruning, PruningRule>> = {
  revocations: {
    table: 'revocations',
    key: ['until', 'pos', 'target_kind'],
    orderedBy: ['until', 'pos'],
    tieFrom: 0,
    predicate: 'p.until < w.at and p.pos <= w.pos',
  },
  revocation_epochs: {
    table: 'revocations',
    key: ['until', 'pos', 'target_kind'],
    orderedBy: ['until', 'pos'],
    tieFrom: 0,
    predicate: `p.target_kind <> 'session' and p.until < w.at and p.pos <= w.pos`,
  },
  sessions: {
    table: 'sessions',
    key: ['session_id'],
    orderedBy: ['ended_at', 'session_id'],
    tieFrom: '00000000-0000-0000-0000-000000000000',
    predicate: `p.status = 'ended' and p.ended_at < w.at and exists (
      select from latchkey.streams st where st.stream_id = p.session_id and st.last_pos <= w.pos)`,
  },
};

export const prunings = Object.keys(rules) as Pruning[];

/** How a rebuild follows: deletes from `schema` all that the watermark says is gone. */
export function deletePrunedSql(schema: string, pruning: Pruning): string {
  const { table, predicate } = rules[pruning];
  return `delete from ${schema}.${table} p using latchkey.projection_watermarks w
    where w.projection = '${pruning}' and ${predicate}`;
}

/**
 * The rows of `table` that no watermark says are gone, as a relation. Between the watermark and the
 * last page of its pruning, rows stand there that count as gone already.
 */
export function keptRowsSql(table: string): string {
  const gone = prunings
    .filter((pruning) => rules[pruning].table === table)
    .map(
      (pruning) => `not exists (select from latchkey.projection_watermarks w
        where w.projection = '${pruning}' and ${rules[pruning].predicate})`,
    );
  return gone.length === 0
    ? `latchkey.${table}`
    : `(select * from latchkey.${table} p where ${gone.join(' and ')})`;
}

export interface PruneOptions {
  readonly pruning: Pruning;
  /** Epoch milliseconds: older rows go. */
  readonly at: number;
  /**
   * `at` is cut to the database's clock minus this many milliseconds (negative: plus). So a worker
   * whose clock is ahead deletes nothing early.
   */
  readonly beforeNowMs: number;
  /** Rows per transaction. */
  readonly limit: number;
}

/**
 * Raises the watermark, then deletes page by page what it says is gone, oldest first; answers how
 * many rows. A row that an append holds is left to the next pruning. `client` is one connection,
 * not in a transaction.
 */
export async function prune(
  client: Queryable,
  options: PruneOptions,
  signal?: AbortSignal,
): Promise<number> {
  // Only what is settled: an append that commits later, with an older position, must not count as
  // pruned.
  const pos = await settledPosition(client, settleWaitMs);
  await raiseWatermark(client, options, pos);
  let pruned = 0;
  let after: readonly unknown[] = ['-infinity', rules[options.pruning].tieFrom];
  while (signal?.aborted !== true) {
    const { rows } = await client.query({
      text: deletePageSql(options.pruning),
      values: [...after, options.limit],
    });
    pruned += rows.length === 0 ? 0 : safeInteger(rows[0]!.count);
    if (rows.length === 0 || safeInteger(rows[0]!.count) < options.limit) break;
    after = [rows[0]!.instant, rows[0]!.tie];
  }
  return pruned;
}

/** Beyond ($1, $2): the index entries of the pages before are dead, but may still be there. */
function deletePageSql(pruning: Pruning): string {
  const { table, key, orderedBy, predicate } = rules[pruning];
  const [instant, tie] = orderedBy;
  const columns = (alias: string) => key.map((column) => `${alias}.${column}`).join(', ');
  return `with doomed as materialized (
      select ${columns('p')} from latchkey.${table} p
      join latchkey.projection_watermarks w on w.projection = '${pruning}'
      where (p.${instant}, p.${tie}) > ($1, $2) and ${predicate}
      order by p.${instant}, p.${tie} limit $3 for update of p skip locked),
    deleted as (
      delete from latchkey.${table} x using doomed where (${columns('x')}) = (${columns('doomed')})
      returning x.${instant} as instant, x.${tie} as tie)
    select instant, tie, count(*) over () as count from deleted
    order by instant desc, tie desc limit 1`;
}

async function raiseWatermark(
  client: Queryable,
  { pruning, at, beforeNowMs }: PruneOptions,
  pos: number,
): Promise<void> {
  await client.query({
    text: `insert into latchkey.projection_watermarks as w (projection, at, pos)
      values ($1, least($2::timestamptz, clock_timestamp() - $3 * interval '1 millisecond'), $4)
      on conflict (projection) do update
        set at = greatest(w.at, excluded.at), pos = greatest(w.pos, excluded.pos)`,
    values: [pruning, toTimestamp(at), beforeNowMs, pos],
  });
}

const settleWaitMs = 1_000;
