import { activeKey } from '../domain/keyset/published.ts';
import { Fence } from '../eventlog/fence.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { KeyWrap } from '../platform/key-wrap.ts';
import type { Logger } from '../platform/logging.ts';
import { listClients } from '../projections/client.ts';
import { findIssuerKeyset } from '../projections/keyset.ts';
import { findRevocations, type PositionedRevocation } from '../projections/revocation.ts';
import type { NodeMemory } from './node-memory.ts';
import { importSigningKey } from './tokens/signing-keys.ts';

export interface RevocationPollOptions {
  /** A direct connection of its own, so that no starved pool delays it. Reconnects by itself. */
  readonly connection: {
    use<T>(work: (client: Queryable) => Promise<T>, options?: { timeoutMs?: number }): Promise<T>;
    readonly generation: number;
    close(): Promise<void>;
  };
  readonly memory: NodeMemory;
  readonly keyWrap: KeyWrap;
  readonly intervalMs: number;
  /**
   * Throws when this is not the log, or not the server, that the node started with. Run on every
   * reconnect.
   */
  readonly checkLog: (client: Queryable, cursor: number) => Promise<void>;
  readonly log: Pick<Logger, 'warn' | 'info'>;
}

const pageRows = 5_000;
const firstLoadMs = 60_000;
const pollMs = 1_500;

/**
 * Keeps a node's memory current. Every visible revocation beyond the cursor is applied at once, in
 * whatever order they become visible; the fence decides only how far the cursor may move, so an
 * append held open delays nobody's logout.
 */
export class RevocationPoll {
  readonly #options: RevocationPollOptions;
  #fence: { readonly fence: Fence; readonly generation: number } | null = null;
  #cursor = 0;
  /** Entries beyond the cursor that were applied already. */
  #applied = new Set<number>();
  /**
   * The head of the log when all of it had settled and was read: while it stays there, nothing is
   * new.
   */
  #readThrough: number | null = null;
  #timer: NodeJS.Timeout | null = null;
  #polling: Promise<void> = Promise.resolve();
  #stopped = false;
  #failing = false;

  constructor(options: RevocationPollOptions) {
    this.#options = options;
  }

  /** Loads everything once, then polls. Rejects when the first load fails. */
  async start(): Promise<void> {
    await this.#next();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#polling.catch(() => {});
    await this.#options.connection.close();
  }

  /** One poll now, for a caller that must see its own change to keys or clients. */
  refresh(): Promise<void> {
    return this.#next();
  }

  /** Polls go one after the other: two at once could move the cursor by each other's ceilings. */
  #next(): Promise<void> {
    const next = this.#polling.catch(() => {}).then(() => this.#poll());
    this.#polling = next;
    return next;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(async () => {
      await this.#next().then(
        () => this.#recovered(),
        (error: unknown) => this.#failed(error),
      );
      this.#schedule();
    }, this.#options.intervalMs);
  }

  async #poll(): Promise<void> {
    const { connection, memory } = this.#options;
    const start = { now: Date.now(), monotonicNow: performance.now() };
    // The first load of a node may have a day's revocations to read.
    const timeoutMs = this.#readThrough === null && this.#cursor === 0 ? firstLoadMs : pollMs;
    await connection.use((client) => this.#pollOn(client, connection.generation), { timeoutMs });
    memory.lease.renew(start);
    memory.revocations.prune(Date.now(), 0.01);
  }

  async #pollOn(client: Queryable, generation: number): Promise<void> {
    if (this.#fence?.generation !== generation) {
      // A new connection may meet a sequence that moved back: ceilings of the old one must settle
      // nothing.
      await this.#options.checkLog(client, this.#cursor);
      this.#fence = { fence: new Fence(client), generation };
      this.#readThrough = null;
      await this.#reload(client);
    }
    const { fence } = this.#fence;
    const settled = await fence.advance();
    // While an append is open the head may move without the settled part: then everything visible
    // is read again.
    if (!fence.waiting && settled === this.#readThrough) return;
    await this.#apply(client, settled);
    this.#readThrough = fence.waiting ? null : settled;
  }

  /** Page by page, and the cursor with each: a poll that is cut has not read for nothing. */
  async #apply(client: Queryable, settled: number): Promise<void> {
    const { memory } = this.#options;
    let after = this.#cursor;
    let page: PositionedRevocation[];
    do {
      page = await findRevocations(client, after, pageRows);
      const fresh = page.filter(({ pos }) => !this.#applied.has(pos));
      for (const revocation of fresh) memory.revoke(revocation);
      // Remembered only afterwards: a reload that failed is owed again by the next poll.
      if (fresh.some(({ targetKind }) => targetKind !== 'session' && targetKind !== 'user')) {
        await this.#reload(client);
      }
      for (const { pos } of fresh) if (pos > settled) this.#applied.add(pos);
      after = page.at(-1)?.pos ?? after;
      this.#cursor = Math.max(this.#cursor, page.findLast(({ pos }) => pos <= settled)?.pos ?? 0);
    } while (page.length === pageRows);
    for (const pos of this.#applied) if (pos <= this.#cursor) this.#applied.delete(pos);
  }

  async #reload(client: Queryable): Promise<void> {
    const { memory, keyWrap } = this.#options;
    memory.replaceClients(await listClients(client));
    const { state } = await findIssuerKeyset(client);
    const active = activeKey(state);
    if (active !== undefined) {
      const { rows } = await client.query({
        text: 'select wrapped from latchkey.key_secrets where kid = $1',
        values: [active.kid],
      });
      const wrapped = rows[0]?.wrapped as string | undefined;
      if (wrapped === undefined) throw new Error(`the private key of ${active.kid} is missing`);
      const privateJwk = await keyWrap.unwrap(active.kid, wrapped);
      memory.signingKey.replace(importSigningKey(active.kid, active.alg, privateJwk));
    }
    memory.replaceKeyset(state);
  }

  #recovered(): void {
    if (this.#failing) this.#options.log.info('revocation poll recovered');
    this.#failing = false;
  }

  #failed(error: unknown): void {
    this.#fence = null;
    if (!this.#failing) this.#options.log.warn({ err: error }, 'revocation poll failed');
    this.#failing = true;
  }
}
