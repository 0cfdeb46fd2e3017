import { activeKey } from '../domain/keyset/published.ts';
import { Fence } from '../eventlog/fence.ts';
import type { LogGuard } from '../eventlog/log-guard.ts';
import { LogIdentityError } from '../eventlog/log-identity.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { KeyWrap } from '../platform/key-wrap.ts';
import type { Logger } from '../platform/logging.ts';
import { listClients } from '../projections/client.ts';
import { findIssuerKeyset } from '../projections/keyset.ts';
import {
  findRevocations,
  type PositionedRevocation,
  type RevocationTarget,
} from '../projections/revocation.ts';
import type { Instant } from '../verifier/lease.ts';
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
  /** Knows the log; checked on every new connection. */
  readonly guard: Pick<LogGuard, 'check' | 'refuse' | 'sightings'>;
  readonly log: Pick<Logger, 'warn' | 'info'>;
}

/** Nothing else in memory depends on these; the others say: read it again. */
const heldAsEntry: ReadonlySet<RevocationTarget> = new Set(['session', 'user', 'roles']);
const pageRows = 5_000;
const pollMs = 1_500;
/** After this long a poll leaves the remaining pages to the next one. */
const pagingMs = 500;
/** How often the newest events are looked at when none of them revokes anything. */
const lookMs = 250;

/** A pass over all revocations beyond the cursor; many of them take several polls. */
interface Scan {
  after: number;
  /** What had settled when it began: the cursor moves no further in this pass. */
  readonly settled: number;
  readonly start: Instant;
}

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
  #scan: Scan | null = null;
  /** Which server, since which start: another one may draw positions again. */
  #server: string | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #polling: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #failure: string | null = null;

  constructor(options: RevocationPollOptions) {
    this.#options = options;
  }

  /** Loads everything once, then polls. Rejects when the first load fails. */
  async start(): Promise<void> {
    while (!(await this.#next()));
    this.#schedule(true);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#polling.catch(() => {});
    await this.#options.connection.close();
  }

  /** One poll now, for a caller that must see its own change to keys or clients. */
  async refresh(): Promise<void> {
    await this.#next();
  }

  /** Polls go one after the other: two at once could move the cursor by each other's ceilings. */
  #next(): Promise<boolean> {
    const next = this.#polling.then(
      () => this.#poll(),
      () => this.#poll(),
    );
    this.#polling = next;
    return next;
  }

  #schedule(complete: boolean): void {
    if (this.#stopped) return;
    const poll = async () => {
      const isComplete = await this.#next().then(
        (done) => {
          this.#recovered();
          return done;
        },
        (error: unknown) => {
          this.#failed(error);
          return true;
        },
      );
      this.#schedule(isComplete);
    };
    this.#timer = setTimeout(poll, complete ? this.#options.intervalMs : 0);
  }

  /** Answers whether everything visible was read; only then the lease is renewed. */
  async #poll(): Promise<boolean> {
    const { connection, memory } = this.#options;
    const start = { now: Date.now(), monotonicNow: performance.now() };
    const readFrom = await connection.use(
      (client) => this.#pollOn(client, connection.generation, start),
      { timeoutMs: pollMs },
    );
    if (readFrom === null) return false;
    memory.lease.renew(readFrom);
    memory.revocations.prune(Date.now(), 0.01);
    return true;
  }

  /** The instant from which on something may have been missed; null while pages remain. */
  async #pollOn(client: Queryable, generation: number, start: Instant): Promise<Instant | null> {
    if (this.#fence?.generation !== generation) await this.#begin(client, generation);
    const { fence } = this.#fence!;
    const settled = await fence.advance();
    // While an append is open the head may move without the settled part: then everything visible
    // is read again.
    if (this.#scan === null && !fence.waiting && settled === this.#readThrough) return start;
    this.#scan ??= { after: this.#cursor, settled, start };
    const scan = this.#scan;
    if (!(await this.#apply(client, scan))) return null;
    this.#scan = null;
    this.#readThrough = fence.waiting ? null : scan.settled;
    return scan.start;
  }

  /**
   * A new connection may lead to another log, or to a server whose sequence moved back: it is
   * compared with what this node has seen, and ceilings of the old connection settle nothing.
   */
  async #begin(client: Queryable, generation: number): Promise<void> {
    await this.#options.guard.check(client);
    const { rows } = await client.query({
      text: 'select pg_postmaster_start_time()::text as server',
    });
    const server = rows[0]!.server as string;
    if (server !== this.#server) {
      this.#cursor = 0;
      this.#applied.clear();
      this.#scan = null;
      this.#server = server;
    }
    this.#fence = { fence: new Fence(client), generation };
    this.#readThrough = null;
    await this.#reload(client);
  }

  /** Page by page, and the cursor with each: a poll that is cut has not read for nothing. */
  async #apply(client: Queryable, scan: Scan): Promise<boolean> {
    const { memory } = this.#options;
    const pauseAt = performance.now() + pagingMs;
    const seen: number[] = [];
    let page: PositionedRevocation[];
    do {
      page = await findRevocations(client, scan.after, pageRows);
      const fresh = page.filter(({ pos }) => !this.#applied.has(pos));
      for (const revocation of fresh) memory.revoke(revocation);
      // Remembered only afterwards: a reload that failed is owed again by the next poll.
      if (fresh.some(({ targetKind }) => !heldAsEntry.has(targetKind))) {
        await this.#reload(client);
      }
      for (const { pos } of fresh) {
        seen.push(pos);
        if (pos > scan.settled) this.#applied.add(pos);
      }
      scan.after = page.at(-1)?.pos ?? scan.after;
      const settledInPage = page.findLast(({ pos }) => pos <= scan.settled)?.pos ?? 0;
      this.#cursor = Math.max(this.#cursor, settledInPage);
    } while (page.length === pageRows && performance.now() < pauseAt);
    for (const pos of this.#applied) if (pos <= this.#cursor) this.#applied.delete(pos);
    await this.#look(client, seen);
    return page.length < pageRows;
  }

  /** Remembers what stands in the log now, to be compared after the connection was lost. */
  async #look(client: Queryable, seen: readonly number[]): Promise<void> {
    const now = performance.now();
    if (seen.length === 0 && now < this.#lookedAt + lookMs) return;
    await this.#options.guard.sightings.look(client, seen);
    this.#lookedAt = now;
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
    if (this.#failure !== null) this.#options.log.info('revocation poll recovered');
    this.#failure = null;
  }

  /** Logs each kind of failure once, so that what a failure has become is seen. */
  #failed(error: unknown): void {
    this.#fence = null;
    if (error instanceof LogIdentityError) this.#options.guard.refuse(error);
    const failure = kindOf(error);
    if (failure === this.#failure) return;
    this.#options.log.warn({ err: error }, 'revocation poll failed');
    this.#failure = failure;
  }
}

function kindOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${kindOf(cause)}` : message;
}
