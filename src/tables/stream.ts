import type { Decider } from '../domain/kernel/decider.ts';
import type { DomainEvent, EventValue, StreamKind } from '../domain/kernel/event.ts';
import type { CommandRows } from '../eventlog/command.ts';
import type { Revocation } from './revocation.ts';
import type { StateTable } from './table.ts';

export type EventData = { readonly [key: string]: EventValue };

/** Turns the data of one schema version of an event into that of the next. */
export type Upcaster = (data: EventData) => EventData;

/** What is to be known of one kind of stream: commands, rebuild and comparison read it here. */
export interface Stream<S, E extends DomainEvent, C> {
  readonly kind: StreamKind;
  readonly table: StateTable<S>;
  readonly decider: Decider<S, C, E>;
  /** Whose key enciphers the personal data of the stream; `state` is after its first event. */
  readonly subjectId: (id: string, state: S) => string | null;
  /** What an event revokes; `state` is after it. */
  readonly revocation: (id: string, state: S, event: E) => Revocation | null;
  /** The rows of side tables that follow from every change of the state, whoever decides it. */
  readonly rowsBeside?: (before: S, after: S) => CommandRows;
  /** How the older schema versions of its events are read. */
  readonly upcasters: Upcasters<E>;
}

type Raised<E> = Extract<E, { readonly schemaV: number }>;

/** One upcaster for each version before `V`, from version 1 on. */
type UpTo<V, Steps extends readonly Upcaster[] = []> = [...Steps, Upcaster]['length'] extends V
  ? Steps
  : UpTo<V, readonly [...Steps, Upcaster]>;

/**
 * For each event that is `InSchema<V, …>` the way from all its older versions; nothing for the
 * others. A version without its upcaster does not compile, nor does an upcaster that leads nowhere.
 */
export type Upcasters<E extends DomainEvent> = {
  readonly [R in Raised<E> as R['type']]: UpTo<R['schemaV']>;
} & { readonly [T in Exclude<E, Raised<E>>['type']]?: never };

/** The upcasters of a type of event, from schema version 1 on. */
export function upcastersOf(
  { upcasters }: { readonly upcasters: object },
  type: string,
): readonly Upcaster[] {
  return Object.hasOwn(upcasters, type)
    ? (upcasters as Readonly<Record<string, readonly Upcaster[]>>)[type]!
    : [];
}
