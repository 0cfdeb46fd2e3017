import { Fence } from './fence.ts';
import { LogIdentityError, restoredRemedy } from './log-identity.ts';
import type { Queryable } from './queryable.ts';
import { type RecordedEvent, readRange } from './read.ts';
import { Sightings } from './sightings.ts';

export interface TailOptions {
  /** Opens one direct connection; called again after any failure. */
  readonly connect: () => Promise<{ client: Queryable; close: () => Promise<void> | void }>;
  /**
   * The position of the last event that was handled; 0 from the beginning. As a function it is asked
   * on each new connection, for a checkpoint that stands elsewhere.
   */
  readonly after: number | ((client: Queryable) => Promise<number>);
  /**
   * Handles a batch, in position order. The cursor moves only when it resolves; a rejection is
   * retried, never skipped. `caughtUpTo`: the settled position up to which this is the last of the
   * log; null when more may follow.
   */
  readonly handle: (events: readonly RecordedEvent[], caughtUpTo: number | null) => Promise<void>;
  /**
   * Called when a poll found no event up to the settled position `caughtUpTo`; its rejection is a
   * failure like any other.
   */
  readonly onIdle?: (caughtUpTo: number) => Promise<void>;
  readonly onError?: (error: unknown) => void;
  readonly pollMs?: number;
  readonly batchMax?: number;
}

/**
 * Delivers every committed event once, in position order, also across slow commits, rollbacks and a
 * killed server. The cursor is the position of the last event handled, never a ceiling. Any error
 * discards the connection and with it every pending ceiling. Once the events that it delivered last
 * are not in the log any more, it delivers nothing and reports a LogIdentityError at each try.
 */
export class Tail {
  readonly #options: TailOptions;
  readonly #sightings = new Sightings();
  #lost: LogIdentityError | null = null;
  #cursor: number;
  #polls = 0;
  #stopped = false;
  #running: Promise<void> | null = null;
  #wake: (() => void) | null = null;

  constructor(options: TailOptions) {
    this.#options = options;
    this.#cursor = typeof options.after === 'number' ? options.after : 0;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** Polls that succeeded since the start. */
  get polls(): number {
    return this.#polls;
  }

  start(): void {
    this.#running ??= this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      try {
        const connection = await this.#options.connect();
        try {
          await this.#follow(connection.client);
        } finally {
          await connection.close();
        }
      } catch (error) {
        this.#options.onError?.(error);
        await this.#pause();
      }
    }
  }

  async #follow(client: Queryable): Promise<void> {
    await this.#requireDelivered(client);
    const { after, onIdle } = this.#options;
    if (typeof after === 'function') this.#cursor = await after(client);
    const fence = new Fence(client);
    const limit = this.#options.batchMax ?? 500;
    // Of this connection: what settles later lies beyond it.
    let caughtUpTo = this.#cursor;
    while (!this.#stopped) {
      const settled = await fence.advance();
      const range = { after: this.#cursor, upTo: settled, limit };
      const events = settled > caughtUpTo ? await readRange(client, range) : [];
      const isLast = events.length < limit;
      if (isLast) caughtUpTo = Math.max(caughtUpTo, settled);
      this.#polls += 1;
      if (events.length > 0) {
        await this.#options.handle(events, isLast ? settled : null);
        this.#cursor = events[events.length - 1]!.pos;
        this.#sightings.note(
          events.map(({ pos, meta }) => ({
            pos,
            commandId: (meta.command_id as string | undefined) ?? null,
          })),
        );
      }
      if (events.length === 0) await onIdle?.(settled);
      if (isLast) await this.#pause();
    }
  }

  async #requireDelivered(client: Queryable): Promise<void> {
    const missing = await this.#sightings.findMissing(client);
    if (missing !== null) {
      this.#lost ??= new LogIdentityError(
        `The event at position ${missing.pos} was delivered and is gone. ${restoredRemedy}`,
      );
    }
    if (this.#lost !== null) throw this.#lost;
  }

  async #pause(): Promise<void> {
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#options.pollMs ?? 25);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}
