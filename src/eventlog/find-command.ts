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
    text: `select 1 from latchkey.streams s
      join latchkey.events e on e.kind = s.kind and e.stream_id = s.stream_id
        and e.pos between s.first_pos and s.last_pos
      where s.stream_id = $1 and e.meta ->> 'command_id' = $2 limit 1`,
    values: [streamId, commandId],
  });
  return rows.length > 0;
}
