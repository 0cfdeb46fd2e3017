import type { Decider } from '../domain/kernel/decider.ts';
import type { DomainEvent, EventValue, StreamKind } from '../domain/kernel/event.ts';
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
  /**
   * For every type of event how each older schema version is read, from version 1 on. What is
   * written has one version more than there are upcasters.
   */
  readonly upcasters: Readonly<Record<E['type'], readonly Upcaster[]>>;
}

/** The schema version in which a type of event is written; undefined for a type of no such stream. */
export function schemaVersion(
  { upcasters }: { readonly upcasters: Readonly<Record<string, readonly Upcaster[]>> },
  type: string,
): number | undefined {
  const older = Object.hasOwn(upcasters, type) ? upcasters[type] : undefined;
  return older === undefined ? undefined : older.length + 1;
}
