import type pg from 'pg';
import type { Row, RowValue } from '../eventlog/command.ts';

interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** The driver calls `submit` and the `handle…` methods. */
class CopyIn {
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #payload: Buffer;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(text: string, payload: Buffer) {
    this.#text = text;
    this.#payload = payload;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: CopyConnection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(this.#payload);
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

const flushCharacters = 1 << 20;

/**
 * Fills one table from rows as the projections make them, a COPY for each megabyte or so. Several tables may be filled
 * over one client. `settle` bounds what waits; only after `end` is everything there.
 */
export class TableFiller {
  readonly #client: pg.ClientBase;
  readonly #table: string;
  readonly #jsonColumns: ReadonlySet<string>;
  #columns: readonly string[] | null = null;
  #lines: string[] = [];
  #characters = 0;
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
    this.#lines.push(line);
    this.#characters += line.length;
  }

  /** Sends a full buffer once the previous one has arrived. */
  async settle(): Promise<void> {
    if (this.#characters >= flushCharacters) await this.#flush();
  }

  async end(): Promise<void> {
    if (this.#lines.length > 0) await this.#flush();
    await this.#underWay;
  }

  async #flush(): Promise<void> {
    const text = `copy ${this.#table} (${this.#columns!.join(', ')}) from stdin`;
    const copy = new CopyIn(text, Buffer.from(`${this.#lines.join('\n')}\n`, 'utf8'));
    this.#lines = [];
    this.#characters = 0;
    await this.#underWay;
    this.#client.query(copy as unknown as pg.Submittable);
    this.#underWay = copy.done;
    // Whoever awaits it next gets the error; until then it is not an unhandled one.
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
