import type { ErrorCode } from '@latchkey/contract/error-code';
import type { DomainEvent } from './event.ts';

/**
 * A pure decision core: `decide` and `evolve` are synchronous and deterministic; time, ids, random
 * bytes and the outcome of a password check arrive inside the command. `decide` throws
 * LatchkeyError for a refusal nobody records.
 */
export interface Decider<S, C, E extends DomainEvent> {
  readonly initialState: S;
  /** Exhaustive: a type of event that it does not know, at run time, leaves no state behind. */
  readonly evolve: (state: S, event: E) => S;
  readonly decide: (state: S, command: C) => Decision<E>;
}

/**
 * Events to append, and, when the outcome is a recorded refusal, the code to answer once they are
 * committed.
 */
export interface Decision<E extends DomainEvent> {
  readonly events: readonly E[];
  readonly refusal?: ErrorCode;
}

export function accept<E extends DomainEvent>(...events: E[]): Decision<E> {
  return { events };
}

export function refuse<E extends DomainEvent>(refusal: ErrorCode, ...events: E[]): Decision<E> {
  return { events, refusal };
}

export function fold<S, E extends DomainEvent>(
  evolve: (state: S, event: E) => S,
  state: S,
  events: Iterable<E>,
): S {
  let folded = state;
  for (const event of events) folded = evolve(folded, event);
  return folded;
}
