import { Fence } from '../eventlog/fence.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { toTimestamp } from './columns.ts';

export type PrunedProjection = 'revocations' | 'sessions';

interface Pruning {
  readonly key: readonly string[];
  readonly orderedBy: string;
  /** Which rows may go at all, as the index on `orderedBy` puts it. */
  readonly candidates: string;
  /** Which rows `p` are gone, as SQL over the watermark `w` with its `at` and `pos`. */
  readonly predicate: string;
}

const prunings: Readonly<Record<PrunedProjection, Pruning>> = {
  revocations: {
    key: ['pos', 'target_kind', 'target'],
    orderedBy: 'until',
    candidates: 'true',
    predicate: 'p.until < w.at and p.pos <= w.pos',
  },
  sessions: {
    key: ['session_id'],
    orderedBy: 'ended_at',
    candidates: `p.status = 'ended'`,
    predicate: `p.status = 'ended' and p.ended_at < w.at and exists (
      select from latchkey.streams st where st.stream_id = p.session_id and st.last_pos <= w.pos)`,
  },
};

export const prunedProjections = Object.keys(prunings) as PrunedProjection[];

/**
 * Deletes from `schema` every row that the recorded watermark says is gone: how a rebuild follows
 * the prunings. `nowait` (55P03 when a row is locked) never makes an append wait or deadlock.
 */
export function deletePrunedSql(schema: string, projection: PrunedProjection): string {
  const { key, predicate } = prunings[projection];
  const columns = (alias: string) => key.map((column) => `${alias}.${column}`).join(', ');
  return `with doomed as (
      select ${columns('p')} from ${schema}.${projection} p
      join latchkey.projection_watermarks w on w.projection = '${projection}'
      where ${predicate} order by ${columns('p')} for update of p nowait)
    delete from ${schema}.${projection} x using doomed where (${columns('x')}) = (${columns('doomed')})`;
}

/**
 * Forgets revocations whose `until` lies before `at` (epoch ms), about `limit` of them, oldest
 * first; answers how many. `client` is one connection, not in a transaction. Call again while it
 * answers more than `limit`.
 */
export function pruneRevocations(client: Queryable, at: number, limit: number): Promise<number> {
  return prune(client, 'revocations', at, limit);
}

/** Forgets sessions that ended before `at`, like `pruneRevocations`. The log keeps them. */
export function pruneSessions(client: Queryable, at: number, limit: number): Promise<number> {
  return prune(client, 'sessions', at, limit);
}

async function prune(
  client: Queryable,
  projection: PrunedProjection,
  at: number,
  limit: number,
): Promise<number> {
  // Only what is settled: an append that commits later, with an older position, must not count as
  // pruned.
  const pos = await settledPosition(client);
  await client.query({ text: 'begin' });
  try {
    await raiseWatermark(client, projection, { at, limit, pos });
    const { rowCount } = await client.query({ text: deletePrunedSql('latchkey', projection) });
    await client.query({ text: 'commit' });
    return rowCount ?? 0;
  } catch (error) {
    await client.query({ text: 'rollback' });
    if ((error as { code?: unknown }).code === lockNotAvailable) return 0;
    throw error;
  }
}

const lockNotAvailable = '55P03';

/**
 * Serialises prunings of one projection. The instant stops where the limit does, so that the
 * watermark stays exact.
 */
async function raiseWatermark(
  client: Queryable,
  projection: PrunedProjection,
  { at, limit, pos }: { at: number; limit: number; pos: number },
): Promise<void> {
  const { orderedBy, candidates } = prunings[projection];
  await client.query({
    text: `insert into latchkey.projection_watermarks (projection, at, pos) values ($1, '-infinity', 0)
      on conflict (projection) do nothing`,
    values: [projection],
  });
  await client.query({
    text: `update latchkey.projection_watermarks w set
        at = greatest(w.at, least($2::timestamptz, (
          select p.${orderedBy} + interval '1 millisecond' from latchkey.${projection} p
          where ${candidates} and p.${orderedBy} < $2 order by p.${orderedBy} offset $3 limit 1))),
        pos = greatest(w.pos, $4)
      where w.projection = $1`,
    values: [projection, toTimestamp(at), limit, pos],
  });
}

const settleTries = 100;

/** 0 when an append stays under way for a second: the next pruning will know more. */
async function settledPosition(client: Queryable): Promise<number> {
  const fence = new Fence(client);
  for (let tries = 1; ; tries += 1) {
    const settled = await fence.advance();
    if (settled > 0 || !fence.waiting || tries === settleTries) return settled;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
