import type { Queryable } from '../../src/eventlog/queryable.ts';

/** Positions after the cursor that a way of tailing the log believes to be complete. */
export type Poll = (client: Queryable, after: number) => Promise<number[]>;

const positions = (rows: Record<string, unknown>[]) => rows.map(({ pos }) => Number(pos));

/** What everybody writes first: whatever is there after the last position. */
export const pollWithoutFence: Poll = async (client, after) => {
  const { rows } = await client.query({
    text: 'select pos from latchkey.events where pos > $1 order by pos limit 500',
    values: [after],
  });
  return positions(rows);
};

/** The fence in one statement: its snapshot is older than its view of the locks, so it settles too early. */
export const pollWithFenceInOneStatement: Poll = async (client, after) => {
  const { rows } = await client.query({
    text: `select e.pos from latchkey.events e
      where e.pos > $1 and e.pos <= (select last_value from latchkey.event_pos) and not exists (
        select from pg_locks where locktype = 'advisory' and classid = 1279350347 and objid = 1 and granted)
      order by e.pos limit 500`,
    values: [after],
  });
  return positions(rows);
};
