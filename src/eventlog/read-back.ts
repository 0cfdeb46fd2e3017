import type { Appended, Command } from './command.ts';
import type { Queryable } from './queryable.ts';

/**
 * Looks for a command in the log by its id, after waiting for any append that still holds its
 * streams. Null: it is not there and, where its streams exist, cannot arrive later from the lost
 * connection.
 */
export async function readBack(readers: Queryable, command: Command): Promise<Appended | null> {
  const { rows } = await readers.query({
    name: 'read-back',
    text: 'select stream_id, version, last_pos from latchkey.read_back($1, $2)',
    values: [command.streams.map(({ streamId }) => streamId), command.commandId],
  });
  if (rows.every((row) => row.last_pos === null)) return null;
  const byStream = new Map(rows.map((row) => [row.stream_id as string, row]));
  return {
    streams: command.streams.map(({ streamId }) => {
      const row = byStream.get(streamId);
      const lastPos = row?.last_pos ?? null;
      return {
        streamId,
        version: (row?.version as number | undefined) ?? 0,
        lastPos: lastPos === null ? null : Number(lastPos),
      };
    }),
  };
}
