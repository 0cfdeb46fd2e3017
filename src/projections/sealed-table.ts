import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { RecordSeal } from '../eventlog/record-seal.ts';

type ReadRow = Readonly<Record<string, unknown>>;

/**
 * A table whose rows give authority. Whoever reads one names its columns here, once, and asks here
 * whether to believe what it read: a column that was written and is not named, or the other way
 * round, breaks every row of the table, so it cannot be forgotten.
 */
export class SealedTable {
  readonly #name: string;
  readonly #columns: readonly string[];

  /** `columns` are what the row-making function writes, the key first. */
  constructor(name: string, columns: readonly string[]) {
    this.#name = name;
    this.#columns = columns;
  }

  /**
   * The columns and the seal for a select list. `alias` is the table, `stream` the row of
   * latchkey.streams that it is joined with, if it is: then the version is compared too, and an
   * earlier row that was put back is refused.
   */
  select(alias: string, stream?: string): string {
    const columns = this.#columns.map((column) => `${alias}.${column}`);
    const version =
      stream === undefined ? '' : `, ${stream}.version as ${this.#name}_stream_version`;
    return `${columns.join(', ')}, ${alias}.mac as ${this.#name}_mac${version}`;
  }

  /** Whether this service wrote the row. A refusal is logged and counted by the seal. */
  accepts(seal: RecordSeal, row: ReadRow): boolean {
    const own: Record<string, unknown> = {};
    for (const column of this.#columns) own[column] = row[column];
    const id = String(row[this.#columns[0]!]);
    if (!seal.accepts(this.#name, own, row[`${this.#name}_mac`], id)) return false;
    const version = row[`${this.#name}_stream_version`];
    if (version === undefined || version === row.version) return true;
    seal.refuse(this.#name, id);
    return false;
  }

  /** Raises `internal_error`: this row is believed by nobody, others are not affected. */
  require(seal: RecordSeal, row: ReadRow): void {
    if (!this.accepts(seal, row)) throw untrusted(this.#name);
  }
}

export function untrusted(table: string): LatchkeyError {
  return new LatchkeyError('internal_error', {
    detail: `a row of ${table} was not written by this service, or is an earlier one put back`,
  });
}
