import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { highestPosition } from './highest-position.ts';
import type { Queryable } from './queryable.ts';

/** `recorded_at` is drawn after the position: two events may have them in different orders. */
const disorderSeconds = 120;

/**
 * A position below which every event was recorded more than `seconds` ago; 0 when there is none. It
 * reads about as many events as the highest position has bits.
 */
export async function positionOlderThan(client: Queryable, seconds: number): Promise<number> {
  let [below, above] = [0, await highestPosition(client)];
  while (below < above) {
    const middle = below + Math.floor((above - below) / 2) + 1;
    const { rows } = await client.query({
      name: 'position-older-than',
      text: `select pos, recorded_at < clock_timestamp() - $2 * interval '1 second' as older
        from latchkey.events where pos >= $1 order by pos limit 1`,
      values: [middle, seconds + disorderSeconds],
    });
    if (rows[0]?.older === true) below = safeInteger(rows[0].pos);
    else above = middle - 1;
  }
  return below;
}
