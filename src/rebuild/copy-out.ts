import type pg from 'pg';
import { idOfBytes } from '../domain/kernel/ids.ts';

interface CopyConnection {
  query(text: string): void;
  readonly stream: { pause(): void; resume(): void; destroy(): void };
}

export interface CopyConsumer {
  /**
   * The bytes are valid during the call only: the driver's parser writes the next messages into the
   * same memory.
   */
  readonly row: (bytes: Buffer) => void;
  /**
   * Called now and then; the socket rests until it resolves, so that memory does not grow with the
   * result.
   */
  readonly settle: () => Promise<void> | null;
}

const rowsPerSettle = 256;

/**
 * Runs `COPY (…) TO STDOUT (FORMAT binary)` and hands over the messages, one per row, as they
 * arrive. An error of the consumer cuts the connection, as what the server still says cannot be
 * unsaid.
 */
export function copyOut(
  client: pg.ClientBase,
  text: string,
  consumer: CopyConsumer,
): Promise<void> {
  const copy = new CopyOut(text, consumer);
  client.query(copy as unknown as pg.Submittable);
  return copy.done;
}

/** The driver calls `submit` and the `handle…` methods. */
class CopyOut {
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #consumer: CopyConsumer;
  #connection!: CopyConnection;
  #rows = 0;
  #settling: Promise<void> | null = null;
  #failed = false;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(text: string, consumer: CopyConsumer) {
    this.#text = text;
    this.#consumer = consumer;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: CopyConnection): void {
    this.#connection = connection;
    connection.query(this.#text);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (this.#failed) return;
    try {
      this.#consumer.row(chunk);
      this.#rows += 1;
      if (this.#rows >= rowsPerSettle && this.#settling === null) this.#settle();
    } catch (error) {
      this.#fail(error);
    }
  }

  #settle(): void {
    this.#rows = 0;
    const settling = this.#consumer.settle();
    if (settling === null) return;
    this.#connection.stream.pause();
    this.#settling = settling.then(
      () => {
        this.#settling = null;
        this.#connection.stream.resume();
      },
      (error) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
    this.#connection.stream.destroy();
  }

  handleError(error: unknown): void {
    this.#reject(error);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    // Messages that had arrived before the pause may have been the last ones.
    void (this.#settling ?? Promise.resolve()).then(this.#resolve);
  }
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');

/**
 * Walks the fields of each row of the binary COPY format, in their order. One reader serves one
 * COPY, from its start.
 */
export class CopyRowReader {
  #row: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #begun = false;

  /** False at the trailer, which is no row. */
  begin(row: Buffer): boolean {
    this.#row = row;
    this.#at = 0;
    if (!this.#begun) {
      this.#begun = true;
      if (!row.subarray(0, signature.length).equals(signature)) throw new Error('not a COPY');
      this.#at = signature.length + 8 + row.readInt32BE(signature.length + 4);
    }
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

  uuidOrNull(): string | null {
    const start = this.#field();
    return start < 0 ? null : toUuid(this.#row.toString('latin1', start, this.#end));
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
    return start < 0 ? null : Buffer.from(this.#row.subarray(start, this.#end));
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
  return idOfBytes(Buffer.from(raw, 'latin1'));
}
