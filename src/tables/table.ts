import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { Row, RowValue } from '../eventlog/command.ts';
import type { RecordSeal } from '../eventlog/record-seal.ts';
import type { Column, Columns } from './columns.ts';

type ReadRow = Readonly<Record<string, unknown>>;

/** A stream as its row tells it: the version and the state after it. */
export interface StreamRecord<S> {
  readonly id: string;
  readonly version: number;
  readonly state: S;
}

/**
 * The read model of one kind of stream: each row is the folded state of a stream and its version,
 * under the service's seal, because it gives authority. This is the one place that knows which
 * column holds which field, for writing and for reading: a field without a column does not compile,
 * and a column that is written and not read, or the other way round, breaks the seal of every row.
 */
export class StateTable<S> {
  readonly name: string;
  readonly key: string;
  /** Columns of which a comparison shows only a digest. */
  readonly confidential: readonly string[];
  readonly #fields: readonly (readonly [keyof S, Column<S[keyof S]>])[];
  /** All that the seal covers, the key first. */
  readonly #names: readonly string[];

  constructor(name: string, key: string, columns: Columns<S>) {
    this.name = name;
    this.key = key;
    this.#fields = Object.entries(columns) as [keyof S, Column<S[keyof S]>][];
    this.#names = [key, 'version', ...this.#fields.map(([, column]) => column.name)];
    this.confidential = this.#fields
      .filter(([, column]) => column.confidential)
      .map(([, column]) => column.name);
  }

  /** What is written once the stream has come to `version` and `state`. */
  row({ id, version, state }: StreamRecord<S>): Row {
    const row: { [column: string]: RowValue } = { [this.key]: id, version };
    for (const [field, column] of this.#fields) row[column.name] = column.write(state[field]);
    return row;
  }

  /** What `row` wrote, as the driver has read it; `prefix` as in `select`. */
  record(row: ReadRow, prefix = ''): StreamRecord<S> {
    const state: Partial<S> = {};
    for (const [field, { name, read }] of this.#fields) state[field] = read(row[prefix + name]);
    const id = row[prefix + this.key] as string;
    return { id, version: row[`${prefix}version`] as number, state: state as S };
  }

  /**
   * The columns and the seal for a select list. `alias` is the table, `stream` the row of
   * latchkey.streams that it is joined with, if it is: then the version is compared too, and an
   * earlier row that was put back is refused. `prefix` stands before the names of the columns, for
   * a row beside that of another table.
   */
  select(alias: string, stream?: string, prefix = ''): string {
    const columns = this.#names.map((column) =>
      prefix === '' ? `${alias}.${column}` : `${alias}.${column} as ${prefix}${column}`,
    );
    const version =
      stream === undefined ? '' : `, ${stream}.version as ${this.name}_stream_version`;
    return `${columns.join(', ')}, ${alias}.mac as ${this.name}_mac${version}`;
  }

  /** Whether this service wrote the row. A refusal is logged and counted by the seal. */
  accepts(seal: RecordSeal, row: ReadRow, prefix = ''): boolean {
    const own: Record<string, unknown> = {};
    for (const column of this.#names) own[column] = row[prefix + column];
    const id = String(own[this.key]);
    if (!seal.accepts(this.name, own, row[`${this.name}_mac`], id)) return false;
    const version = row[`${this.name}_stream_version`];
    if (version === undefined || version === own.version) return true;
    seal.refuse(this.name, id);
    return false;
  }

  /** Raises `internal_error`: this row is believed by nobody, others are not affected. */
  require(seal: RecordSeal, row: ReadRow, prefix = ''): void {
    if (!this.accepts(seal, row, prefix)) throw untrusted(this.name);
  }
}

export function untrusted(table: string): LatchkeyError {
  return new LatchkeyError('internal_error', {
    detail: `a row of ${table} was not written by this service, or is an earlier one put back`,
  });
}
