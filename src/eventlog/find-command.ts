import type { Queryable } from './queryable.ts';

/**
 * Whether a command with this id has left an event in the stream. It may be under way on another
 * node still: whoever then appends with an exact version meets a conflict, and finds it at the next
 * look.
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
