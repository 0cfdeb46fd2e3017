import { safeInteger } from '../platform/postgres/safe-integer.ts';
import type { Appended, Command } from './command.ts';
import type { Queryable } from './queryable.ts';

/**
 * An event that this process has seen committed: its position and the command that wrote it, null
 * for one that no command of ours wrote.
 */
export interface Sighting {
  readonly pos: number;
  readonly commandId: string | null;
}

const keptMax = 512;
const newestRead = 32;

/**
 * The events that this process saw last. A server that loses commits loses the latest ones, so one
 * of these is then missing, or another event stands at its position. A head that went on growing
 * would not show it.
 */
export class Sightings {
  #kept: Sighting[] = [];
  #highestPos = 0;

  /** The highest position ever seen. */
  get highestPos(): number {
    return this.#highestPos;
  }

  note(sightings: readonly Sighting[]): void {
    this.#kept.push(...sightings);
    if (this.#kept.length > 2 * keptMax) this.#kept = this.#kept.slice(-keptMax);
    for (const { pos } of sightings) this.#highestPos = Math.max(this.#highestPos, pos);
  }

  noteAppended({ commandId }: Command, { streams }: Appended): void {
    const pos = Math.max(0, ...streams.map(({ lastPos }) => lastPos ?? 0));
    if (pos > 0) this.note([{ pos, commandId }]);
  }

  /** Reads the newest visible events, and those at `positions`, and notes them. */
  async look(client: Queryable, positions: readonly number[] = []): Promise<void> {
    const { rows } = await client.query({
      text: `(select pos, meta ->> 'command_id' as command_id from latchkey.events
          where pos > $1 order by pos desc limit ${newestRead})
        union all
        select pos, meta ->> 'command_id' from latchkey.events where pos = any ($2)`,
      values: [this.#highestPos, positions.slice(-keptMax)],
    });
    this.note(
      rows.map(({ pos, command_id }) => ({
        pos: safeInteger(pos),
        commandId: command_id as string | null,
      })),
    );
  }

  /** The first of them that is not in the log, or stands there as another event; null: all are. */
  async findMissing(client: Queryable): Promise<Sighting | null> {
    // Others are noted while the answer is awaited.
    const asked = [...this.#kept];
    if (asked.length === 0) return null;
    const { rows } = await client.query({
      text: `select pos, meta ->> 'command_id' as command_id from latchkey.events
        where pos = any ($1)`,
      values: [asked.map(({ pos }) => pos)],
    });
    const present = new Map(
      rows.map((row) => [safeInteger(row.pos), row.command_id as string | null]),
    );
    return asked.find(({ pos, commandId }) => present.get(pos) !== commandId) ?? null;
  }
}
