import type { Queryable } from './queryable.ts';

/**
 * Whether a command with this id has left an event in the stream. Another node may
 * still be appending it: your append with an exact version then conflicts, and the next look finds
 * the command.
 */
export async function isCommandInLog(
  client: Queryable,
  streamId: string,
  commandId: string,
): Promise<boolean> {
  const { rows } = await client.query({
    name: 'find-command',
    text: 'select 1 from latchkey.find_command($1, $2) where pos is not null',
    values: [streamId, commandId],
  });
  return rows.length > 0;
}
