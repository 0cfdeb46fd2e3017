import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { DomainEvent } from '../domain/kernel/event.ts';
import { readStream } from '../eventlog/read.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { foldLogged } from '../tables/fold-logged.ts';
import type { Stream } from '../tables/stream.ts';

/**
 * The state of a stream right after a command, of which the command's first answer was made.
 * Without a `commandId`: the command that began the stream. null when it is not in the log. For
 * retries only: it reads the stream. Raises `internal_error` for an event that this service did not
 * write.
 */
export async function stateAfterCommand<S, E extends DomainEvent, C>(
  readers: SealedReaders,
  streamId: string,
  commandId: string | null,
  stream: Stream<S, E, C>,
): Promise<S | null> {
  const events = await readStream(readers, streamId);
  const wanted = commandId ?? events[0]?.meta.command_id;
  const last = events.findLastIndex(({ meta }) => meta.command_id === wanted);
  if (last === -1) return null;
  let state = stream.decider.initialState;
  for (const event of events.slice(0, last + 1)) {
    if (!readers.seal.isGenuine(event)) {
      readers.seal.refuse('events', String(event.pos));
      throw new LatchkeyError('internal_error', { detail: `event ${event.pos} has no good seal` });
    }
    state = foldLogged(stream, state, event).state;
  }
  return state;
}
