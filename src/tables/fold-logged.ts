import type { DomainEvent, StreamKind } from '../domain/kernel/event.ts';
import { type EventData, type Stream, upcastersOf } from './stream.ts';

/** What a fold needs of an event in the log. */
export interface LoggedEvent {
  readonly pos: number;
  readonly version: number;
  readonly type: string;
  readonly schemaV: number;
  readonly data: EventData;
  readonly pii: Uint8Array | null;
}

/** The log holds an event that this release cannot read: folding on would make rows up. */
export class UnreadableEventError extends Error {
  override readonly name = 'UnreadableEventError';
}

/**
 * An event of the log as this release writes it, and the state after it: the one way from the log
 * to a state. Throws UnreadableEventError.
 */
export function foldLogged<S, E extends DomainEvent, C>(
  stream: Stream<S, E, C>,
  state: S,
  logged: LoggedEvent,
): { readonly event: E; readonly state: S } {
  const { type, pii } = logged;
  const data = readable(stream, logged);
  const event = (pii === null ? { type, data } : { type, data, pii }) as unknown as E;
  const next = stream.decider.evolve(state, event);
  if (next === undefined) throw unreadable(stream, logged, 'unknown type');
  return { event, state: next };
}

/** The data of an event as this release writes it. */
function readable(
  stream: { readonly kind: StreamKind; readonly upcasters: object },
  logged: LoggedEvent,
): EventData {
  const { type, schemaV, data } = logged;
  const upcasters = upcastersOf(stream, type);
  const newest = upcasters.length + 1;
  if (schemaV < 1 || schemaV > newest) {
    throw unreadable(stream, logged, `schema version ${schemaV}, known: ${newest}`);
  }
  return upcasters.slice(schemaV - 1).reduce((older, next) => next(older), data);
}

function unreadable(
  { kind }: { readonly kind: StreamKind },
  { pos, type }: LoggedEvent,
  why: string,
): UnreadableEventError {
  return new UnreadableEventError(`event ${pos} of a ${kind} stream, ${type}: ${why}`);
}
