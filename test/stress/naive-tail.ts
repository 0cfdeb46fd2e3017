import type { Queryable } from '../../src/eventlog/queryable.ts';

/** Positions after the cursor that a way of tailing the log believes to be complete. */
export type Poll = (client: Queryable, after: number) => Promise<number[]>;

/** What everybody writes first: whatever is there after the last position. */
export const withoutFence = (): Poll => async (client, after) => {
  const { rows } = await client.query({
    text: 'select pos from latchkey.events where pos > $1 order by pos limit 500',
    values: [after],
  });
  return rows.map(({ pos }) => Number(pos));
};

/**
 * The fence, ceiling, holders and rows in one statement: its snapshot is older than its view of the locks, so an append
 * that ends in between counts as settled although its row is not among those read.
 */
export function fenceInOneStatement(): Poll {
  let unsettled: { ceiling: number; holders: string[] }[] = [];
  let settled = 0;
  return async (client, after) => {
    const { rows } = await client.query({
      text: `select (select last_value from latchkey.event_pos) as ceiling,
        array(select pos::int from latchkey.events where pos > $1 order by pos limit 500) as positions,
        array(select virtualtransaction from pg_locks where locktype = 'advisory'
          and classid = 1279350347 and objid = 1 and granted) as holders`,
      values: [after],
    });
    const { ceiling, positions, holders } = rows[0] as {
      ceiling: string;
      positions: number[];
      holders: string[];
    };
    unsettled.push({ ceiling: Number(ceiling), holders });
    unsettled = unsettled.filter((entry) => {
      if (entry.holders.some((holder) => holders.includes(holder))) return true;
      settled = Math.max(settled, entry.ceiling);
      return false;
    });
    return positions.filter((pos) => pos <= settled);
  };
}
