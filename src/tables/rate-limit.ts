import type { Queryable } from '../eventlog/queryable.ts';

/**
 * Forgets at most `limit` counts of windows that are over, by the clock of the database; answers
 * how many.
 */
export async function forgetOldCounts(client: Queryable, limit: number): Promise<number> {
  const { rows } = await client.query({
    text: `with old as materialized (
        select key from latchkey.rate_limits
        where expire < extract(epoch from clock_timestamp()) * 1000 - 60000
        order by expire limit $1 for update skip locked),
      deleted as (
        delete from latchkey.rate_limits r using old where r.key = old.key returning 1)
      select count(*)::int as count from deleted`,
    values: [limit],
  });
  return rows[0]!.count as number;
}
