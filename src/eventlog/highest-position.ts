import { safeInteger } from '../platform/postgres/safe-integer.ts';
import type { Queryable } from './queryable.ts';

/**
 * The highest position ever drawn, 0 before the first, as an SQL expression. It reads the sequence
 * under the lock that `nextval` writes it under. A plain `select last_value` does not: while
 * `nextval` logs the 32 numbers ahead that a crash may cost, it shows the last of them, and positions
 * that are yet to be drawn would count as drawn.
 */
export const highestPositionSql = `coalesce(pg_sequence_last_value('latchkey.event_pos'::regclass), 0)`;

/** The highest position ever drawn. Its event may not be committed yet, or never. */
export async function highestPosition(client: Queryable): Promise<number> {
  const { rows } = await client.query({ text: `select ${highestPositionSql} as highest` });
  return safeInteger(rows[0]!.highest);
}
