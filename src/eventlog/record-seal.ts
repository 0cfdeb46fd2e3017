import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { bytea } from '../platform/postgres/bytea.ts';
import type { Row } from './command.ts';
import type { Queryable } from './queryable.ts';

/** What the seal of an event covers: all of it, but what the database draws (pos, recorded_at). */
export interface SealableEvent {
  readonly kind: number;
  readonly streamId: string;
  readonly subjectId: string | null;
  readonly version: number;
  readonly type: string;
  readonly schemaV: number;
  readonly data: object;
  readonly pii: Uint8Array | null;
  /** With or without its own `mac`, which is left out. */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A row as it is written, or as the driver has read it: both have the same seal. */
export type SealableRow = Row | Readonly<Record<string, unknown>>;

/** Reads of rows that give authority need the seal: the type says so. */
export interface SealedReaders extends Queryable {
  readonly seal: RecordSeal;
}

export function sealedReaders(client: Queryable, seal: RecordSeal): SealedReaders {
  return { query: (statement) => client.query(statement), seal };
}

const macBytes = 16;

/**
 * The MAC on what gives authority: rows of projections and side tables, and events. Its key is
 * wrapped by the key-encryption key, so a writer of the database who lacks that key can delete and
 * bring back what once was, and can make nothing.
 */
export class RecordSeal {
  readonly #key: KeyObject;
  readonly #onRefused: (table: string, id: string) => void;

  /** `onRefused` hears of every row that is refused. */
  constructor(key: Uint8Array, onRefused: (table: string, id: string) => void = () => {}) {
    this.#key = createSecretKey(key);
    this.#onRefused = onRefused;
  }

  /**
   * The `mac` of a row: over the table's name and every column that is not null, so that a new
   * column is covered without anybody thinking of it.
   */
  row(table: string, row: SealableRow): string {
    return this.#mac(rowText(table, row)).toString('base64url');
  }

  /** Whether `mac` belongs to the row; a refusal is reported under `id`. */
  accepts(table: string, row: SealableRow, mac: unknown, id: string): boolean {
    if (this.#equals(rowText(table, row), mac)) return true;
    this.#onRefused(table, id);
    return false;
  }

  /** A row that is refused for another reason than its MAC. */
  refuse(table: string, id: string): void {
    this.#onRefused(table, id);
  }

  event(event: SealableEvent): string {
    return this.#mac(eventText(event)).toString('base64url');
  }

  /** Whether this service wrote the event, there and so. */
  isGenuine(event: SealableEvent): boolean {
    return this.#equals(eventText(event), event.meta.mac);
  }

  #equals(text: string, mac: unknown): boolean {
    if (typeof mac !== 'string') return false;
    const given = Buffer.from(mac, 'base64url');
    return given.length === macBytes && timingSafeEqual(given, this.#mac(text));
  }

  #mac(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text, 'utf8').digest().subarray(0, macBytes);
  }
}

function rowText(table: string, row: SealableRow): string {
  const parts: unknown[] = ['latchkey.row.v1', table];
  for (const column of Object.keys(row).sort()) {
    const value = row[column];
    if (value !== null && value !== undefined && column !== 'mac') {
      parts.push(column, canonical(value));
    }
  }
  return JSON.stringify(parts);
}

function eventText(event: SealableEvent): string {
  const { mac: _, ...meta } = event.meta;
  return JSON.stringify([
    'latchkey.event.v1',
    event.kind,
    event.streamId,
    event.subjectId,
    event.version,
    event.type,
    event.schemaV,
    canonical(event.data),
    event.pii === null ? null : canonical(event.pii),
    canonical(meta),
  ]);
}

/** What goes in as text or JSON and comes out as a driver's type is spelled the same. */
function canonical(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return bytea(value);
  if (Array.isArray(value)) return value.map(canonical);
  const sorted: Record<string, unknown> = {};
  // jsonb keeps no order of keys.
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) sorted[key] = canonical(member);
  }
  return sorted;
}
