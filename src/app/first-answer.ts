import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { DomainEvent } from '../domain/kernel/event.ts';
import { type RecordedEvent, readStream } from '../eventlog/read.ts';
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
  return (await statesAround(readers, streamId, commandId, stream))?.after ?? null;
}

/** The same, and the state right before the command. */
export async function statesAround<S, E extends DomainEvent, C>(
  readers: SealedReaders,
  streamId: string,
  commandId: string | null,
  stream: Stream<S, E, C>,
): Promise<{ readonly before: S; readonly after: S } | null> {
  const events = await readStream(readers, streamId);
  const wanted = commandId ?? events[0]?.meta.command_id;
  const isOfCommand = ({ meta }: (typeof events)[number]) => meta.command_id === wanted;
  const first = events.findIndex(isOfCommand);
  if (first === -1) return null;
  const last = events.findLastIndex(isOfCommand);
  const before = folded(readers, stream, stream.decider.initialState, events.slice(0, first));
  return { before, after: folded(readers, stream, before, events.slice(first, last + 1)) };
}

function folded<S, E extends DomainEvent, C>(
  { seal }: SealedReaders,
  stream: Stream<S, E, C>,
  from: S,
  events: readonly RecordedEvent[],
): S {
  let state = from;
  for (const event of events) {
    if (!seal.isGenuine(event)) {
      seal.refuse('events', String(event.pos));
      throw new LatchkeyError('internal_error', { detail: `event ${event.pos} has no good seal` });
    }
    state = foldLogged(stream, state, event).state;
  }
  return state;
}
