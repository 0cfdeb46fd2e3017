import type pg from 'pg';

interface CopyConnection {
  query(text: string): void;
  readonly stream: { pause(): void; resume(): void };
}

const rowsPerBatch = 512;
const batchesAhead = 4;

/**
 * Runs `COPY (…) TO STDOUT (FORMAT binary)` and yields the messages in batches, one message per row. The socket is paused
 * while the caller is behind, so memory does not grow with the result. Leaving early cuts the connection, as the rest cannot be unsaid.
 */
export async function* copyOut(client: pg.ClientBase, text: string): AsyncGenerator<Buffer[]> {
  const copy = new CopyOut(text);
  client.query(copy as unknown as pg.Submittable);
  try {
    for (;;) {
      const batch = await copy.next();
      if (batch === null) return;
      yield batch;
    }
  } finally {
    if (!copy.ended) copy.abandon();
  }
}

/** The driver calls `submit` and the `handle…` methods. */
class CopyOut {
  readonly #text: string;
  #connection: CopyConnection | null = null;
  #filling: Buffer[] = [];
  readonly #full: Buffer[][] = [];
  #paused = false;
  #error: unknown = null;
  #wake: (() => void) | null = null;
  ended = false;

  constructor(text: string) {
    this.#text = text;
  }

  async next(): Promise<Buffer[] | null> {
    while (this.#full.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error !== null) throw this.#error;
    const batch = this.#full.shift() ?? null;
    if (this.#paused && this.#full.length < batchesAhead / 2) {
      this.#paused = false;
      this.#connection?.stream.resume();
    }
    return batch;
  }

  abandon(): void {
    (this.#connection?.stream as { destroy?(): void } | undefined)?.destroy?.();
  }

  submit(connection: CopyConnection): void {
    this.#connection = connection;
    connection.query(this.#text);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    // The driver's parser writes the next messages into the same memory.
    this.#filling.push(Buffer.from(chunk));
    if (this.#filling.length < rowsPerBatch) return;
    this.#flush();
    if (this.#full.length >= batchesAhead && !this.#paused) {
      this.#paused = true;
      this.#connection?.stream.pause();
    }
  }

  handleError(error: unknown): void {
    this.#error = error;
    this.#end();
  }

  handleCommandComplete(): void {
    this.#flush();
  }

  handleReadyForQuery(): void {
    this.#end();
  }

  #flush(): void {
    this.#full.push(this.#filling);
    this.#filling = [];
    this.#wake?.();
  }

  #end(): void {
    this.ended = true;
    this.#wake?.();
  }
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');

/** Walks the fields of one row of the binary COPY format, in their order. One reader serves a whole COPY. */
export class CopyRowReader {
  #row: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** False at the trailer, which is no row. */
  begin(row: Buffer): boolean {
    this.#row = row;
    this.#at = row.indexOf(signature) === 0 ? 19 + row.readInt32BE(15) : 0;
    if (this.#at >= row.length) return false;
    const fields = row.readInt16BE(this.#at);
    this.#at += 2;
    return fields >= 0;
  }

  int2(): number {
    return this.#row.readInt16BE(this.#field());
  }

  int4(): number {
    return this.#row.readInt32BE(this.#field());
  }

  /** Throws for a value beyond the safe integers. */
  int8(): number {
    const start = this.#field();
    const value = this.#row.readInt32BE(start) * 2 ** 32 + this.#row.readUInt32BE(start + 4);
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
    return value;
  }

  /** The 16 bytes as latin1 text, cheap to compare; `toUuid` spells them. */
  uuidBytes(): string {
    const start = this.#field();
    return this.#row.toString('latin1', start, this.#end);
  }

  text(): string {
    const start = this.#field();
    return this.#row.toString('utf8', start, this.#end);
  }

  textOrNull(): string | null {
    const start = this.#field();
    return start < 0 ? null : this.#row.toString('utf8', start, this.#end);
  }

  json<T>(): T {
    // jsonb begins with the version of its wire format.
    const start = this.#field() + 1;
    return JSON.parse(this.#row.toString('utf8', start, this.#end));
  }

  bytesOrNull(): Buffer | null {
    const start = this.#field();
    return start < 0 ? null : this.#row.subarray(start, this.#end);
  }

  /** Where the next field starts; -1 when it is null. */
  #field(): number {
    const length = this.#row.readInt32BE(this.#at);
    const start = this.#at + 4;
    this.#at = length < 0 ? start : start + length;
    this.#end = this.#at;
    return length < 0 ? -1 : start;
  }
}

/** From the 16 bytes of a uuid, spelled as latin1. */
export function toUuid(raw: string): string {
  const hex = Buffer.from(raw, 'latin1').toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
