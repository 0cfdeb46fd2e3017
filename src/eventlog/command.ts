import type { Actor } from '../domain/kernel/actor.ts';
import type { DomainEvent, EventValue, StreamKind } from '../domain/kernel/event.ts';

/**
 * What a stream must be for the command to be appended: an exact version, nonexistent, existing, or
 * anything. Only the first two also keep out a lost try of the same command that reaches the server
 * after its retry.
 */
export type Expectation = number | 'none' | 'exists' | 'any';

/** Who did it and why, from the first event on. Of users ids only. */
export interface EventMeta {
  readonly request_id: string;
  readonly correlation_id: string;
  readonly actor: Actor['id'];
  readonly actor_type: Actor['type'];
  /** Of a command on the command line: the account of the operating system, and the machine. */
  readonly os_user?: string;
  readonly host?: string;
}

/**
 * One stream of a command. Without events it is a guard: locked, compared (`guard`), and bumped, so
 * that two commands which guard the same stream serialise; a stream that does not exist cannot
 * guard, and the command conflicts.
 */
export interface StreamTouch {
  readonly streamId: string;
  readonly kind: StreamKind;
  readonly subjectId: string | null;
  readonly expected: Expectation;
  readonly guard?: number;
  readonly bumpGuard?: boolean;
  readonly events: readonly AppendedEvent[];
}

/** The schema version is that of its type (`InSchema`); a type without one is of version 1. */
export interface AppendedEvent extends DomainEvent {
  readonly schemaV?: number;
}

export type RowValue = EventValue | undefined;
export type Row = { readonly [column: string]: RowValue };

/** A revocation takes the position of the event that caused it. */
export interface RevocationRow extends Row {
  readonly streamId: string;
  readonly eventIndex: number;
  readonly target_kind: string;
  readonly target: string;
  readonly epoch: number | null;
  readonly until: string;
}

/**
 * Rows of the inline projections and side tables, by table name; bytea columns are `\x…` hex text.
 * `latchkey.append` refuses those of a table that is not in `latchkey.projected_tables`.
 */
export interface CommandRows {
  readonly [table: string]: readonly Row[] | undefined;
  readonly revocations?: readonly RevocationRow[];
}

/**
 * A decided command. `commandId` is known before the append, so that a connection lost at COMMIT is
 * answered by reading the stream back, never by deciding again.
 */
export interface Command {
  readonly commandId: string;
  readonly meta: EventMeta;
  readonly streams: readonly StreamTouch[];
  readonly rows: CommandRows;
}

/** Where each stream of an appended command stands now. */
export interface Appended {
  readonly streams: readonly { streamId: string; version: number; lastPos: number | null }[];
}

/** The command was decided on a state that is no longer current; decide again on `actual`. */
export class ConflictError extends Error {
  readonly actual: readonly { streamId: string; version: number; guard: number }[];

  constructor(actual: ConflictError['actual']) {
    super('a stream has moved on');
    this.name = 'ConflictError';
    this.actual = actual;
  }
}

/**
 * A stream of the command is held by another transaction. Nothing was appended; the same command
 * may be tried again.
 */
export class BusyError extends Error {
  constructor() {
    super('a stream is held by another transaction');
    this.name = 'BusyError';
  }
}

/** Two rows of a projection claim the same unique value; `constraint` names it. */
export class UniqueViolationError extends Error {
  readonly constraint: string;

  constructor(constraint: string, cause: unknown) {
    super(`unique violation: ${constraint}`, { cause });
    this.name = 'UniqueViolationError';
    this.constraint = constraint;
  }
}
