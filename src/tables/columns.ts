import type { EventValue } from '../domain/kernel/event.ts';
import type { RowValue } from '../eventlog/command.ts';
import { bytea } from '../platform/postgres/bytea.ts';

/** How one field of a state stands in a column, both ways. */
export interface Column<T> {
  readonly name: string;
  readonly write: (value: T) => RowValue;
  /** From what the driver has parsed. */
  readonly read: (stored: unknown) => T;
  /** Of personal data and secrets, a comparison shows only a digest. */
  readonly confidential: boolean;
}

/** Every field of a state and its column: one that is missing does not compile. */
export type Columns<S> = { readonly [F in keyof S]-?: Column<S[F]> };

const column = <T>(
  name: string,
  write: (value: T) => RowValue,
  read: (stored: unknown) => T,
): Column<T> => ({ name, write, read, confidential: false });

/** text, text[], integer and boolean: the driver and JSON agree on them. */
export function plain<T extends EventValue>(name: string): Column<T> {
  return column<T>(
    name,
    (value) => value,
    (stored) => stored as T,
  );
}

/** jsonb. */
export function json<T>(name: string): Column<T> {
  return column<T>(
    name,
    (value) => value as EventValue,
    (stored) => stored as T,
  );
}

/** Epoch milliseconds in a timestamptz. */
export function time(name: string): Column<number> {
  return column(name, toTimestamp, fromTimestamp);
}

export function timeOrNull(name: string): Column<number | null> {
  return column(name, toTimestampOrNull, fromTimestampOrNull);
}

/** A count in a column that came later: 0 is null there, so that the seals of earlier rows hold. */
export function countOrNull(name: string): Column<number> {
  return column(
    name,
    (count) => (count === 0 ? null : count),
    (stored) => (stored as number | null) ?? 0,
  );
}

/** Ciphertext in a bytea. */
export function ciphertext(name: string): Column<Uint8Array | null> {
  return confidential(column(name, byteaOrNull, (stored) => stored as Uint8Array | null));
}

/** The same column, of which a comparison shows only a digest. */
export function confidential<T>(of: Column<T>): Column<T> {
  return { ...of, confidential: true };
}

/**
 * Epoch milliseconds to the text that Postgres reads as timestamptz, and back from what the driver
 * parsed.
 */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

export function toTimestampOrNull(ms: number | null): string | null {
  return ms === null ? null : toTimestamp(ms);
}

export function fromTimestamp(value: unknown): number {
  return (value as Date).getTime();
}

export function fromTimestampOrNull(value: unknown): number | null {
  return value === null ? null : fromTimestamp(value);
}

function byteaOrNull(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : bytea(bytes);
}
