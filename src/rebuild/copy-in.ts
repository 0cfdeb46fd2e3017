import type pg from 'pg';
import type { Row, RowValue } from '../eventlog/command.ts';

interface CopyConnection {
  query(text: string): void;
  readonly stream: { write(bytes: Buffer): void };
  endCopyFrom(): void;
}

/** The driver calls `submit` and the `handle…` methods. */
class CopyIn {
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #message: Buffer;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(text: string, message: Buffer) {
    this.#text = text;
    this.#message = message;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: CopyConnection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    // Not sendCopyFromChunk: the driver's writer would copy it, and from then on make each message
    // as large as this one.
    connection.stream.write(this.#message);
    connection.endCopyFrom();
  }

  handleError(error: unknown): void {
    this.#reject(error);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#resolve();
  }
}

const flushBytes = 256 * 1024;
/** CopyData: its letter and its length. */
const headBytes = 5;
const utf8BytesPerCharacterMax = 3;

/**
 * Fills one table from rows as the projections make them, a COPY for each quarter of a megabyte.
 * Several tables may be filled over one client. `settle` bounds what waits; only after `end` is
 * everything there.
 */
export class TableFiller {
  readonly #client: pg.ClientBase;
  readonly #table: string;
  readonly #jsonColumns: ReadonlySet<string>;
  #columns: readonly string[] | null = null;
  #filling = Buffer.allocUnsafe(2 * flushBytes);
  #sending = Buffer.allocUnsafe(0);
  #at = headBytes;
  #underWay: Promise<void> = Promise.resolve();

  /** `jsonColumns` take their value as JSON; any other list is an array of text. */
  constructor(client: pg.ClientBase, table: string, jsonColumns: ReadonlySet<string>) {
    this.#client = client;
    this.#table = table;
    this.#jsonColumns = jsonColumns;
  }

  /** Every row has the columns of the first one. */
  add(row: Row): void {
    this.#columns ??= Object.keys(row);
    let line = '';
    for (const column of this.#columns) {
      if (line !== '') line += '\t';
      line += copyText(row[column], this.#jsonColumns.has(column));
    }
    line += '\n';
    this.#reserve(line.length * utf8BytesPerCharacterMax);
    this.#at += this.#filling.write(line, this.#at, 'utf8');
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#filling.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#filling.length + bytes));
    this.#filling.copy(larger, 0, 0, this.#at);
    this.#filling = larger;
  }

  /**
   * Sends a full buffer once the previous one has arrived; null when there is nothing to wait for.
   */
  settle(): Promise<void> | null {
    return this.#at >= flushBytes ? this.#flush() : null;
  }

  async end(): Promise<void> {
    if (this.#at > headBytes) await this.#flush();
    await this.#underWay;
  }

  async #flush(): Promise<void> {
    await this.#underWay;
    const message = this.#filling.subarray(0, this.#at);
    message.write('d');
    message.writeInt32BE(this.#at - 1, 1);
    const copy = new CopyIn(
      `copy ${this.#table} (${this.#columns!.join(', ')}) from stdin`,
      message,
    );
    // The other buffer has arrived, so it may be written again.
    [this.#filling, this.#sending] = [this.#sending, this.#filling];
    this.#at = headBytes;
    if (this.#filling.length === 0) this.#filling = Buffer.allocUnsafe(2 * flushBytes);
    this.#client.query(copy as unknown as pg.Submittable);
    this.#underWay = copy.done;
    // The next await gets the error; until then it must not count as an unhandled one.
    copy.done.catch(() => {});
  }
}

const special = /[\\\t\n\r]/;
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
};

function copyText(value: RowValue, json: boolean): string {
  if (value === null || value === undefined) return '\\N';
  if (typeof value === 'string' && !json) return escaped(value);
  if (json) return escaped(JSON.stringify(value));
  if (Array.isArray(value)) return escaped(arrayLiteral(value));
  if (typeof value === 'object') throw new TypeError('an object for a column that is not jsonb');
  return String(value);
}

function escaped(text: string): string {
  return special.test(text) ? text.replace(/[\\\t\n\r]/g, (char) => escapes[char]!) : text;
}

function arrayLiteral(list: readonly unknown[]): string {
  const elements = list.map((element) => `"${String(element).replace(/["\\]/g, '\\$&')}"`);
  return `{${elements.join(',')}}`;
}
