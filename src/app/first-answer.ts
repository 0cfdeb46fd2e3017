import { fold } from '../domain/kernel/decider.ts';
import type { DomainEvent } from '../domain/kernel/event.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { readStream } from '../eventlog/read.ts';

interface Folding<S, E extends DomainEvent> {
  readonly initialState: S;
  readonly evolve: (state: S, event: E) => S;
}

/**
 * A stream as a command left it, which is what the command's first answer was made of, whatever has
 * changed since. Without a `commandId`: the command that began the stream. null when it is not in
 * the log. For retries only: it reads the stream.
 */
export async function stateAfterCommand<S, E extends DomainEvent>(
  readers: Queryable,
  streamId: string,
  commandId: string | null,
  { initialState, evolve }: Folding<S, E>,
): Promise<S | null> {
  const events = await readStream(readers, streamId);
  const wanted = commandId ?? events[0]?.meta.command_id;
  const last = events.findLastIndex(({ meta }) => meta.command_id === wanted);
  if (last === -1) return null;
  const until = events.slice(0, last + 1).map(({ type, data, pii }) => {
    return (pii === null ? { type, data } : { type, data, pii }) as unknown as E;
  });
  return fold(evolve, initialState, until);
}
