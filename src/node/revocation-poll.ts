import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { Instant } from '@latchkey/verifier/lease';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { KeysetState } from '../domain/keyset/state.ts';
import type { LogGuard } from '../eventlog/log-guard.ts';
import { LogIdentityError } from '../eventlog/log-identity.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { type RecordSeal, type SealedReaders, sealedReaders } from '../eventlog/record-seal.ts';
import { type Moment, readMoment } from '../eventlog/snapshot.ts';
import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import type { Logger } from '../platform/logging/logging.ts';
import { listClients } from '../tables/client.ts';
import { findIssuerKeyset } from '../tables/keyset.ts';
import {
  findRevocations,
  greatestXactRead,
  nextPass,
  nothingRead,
  type RevocationPlace,
  type RevocationsRead,
  type RevocationTarget,
} from '../tables/revocation.ts';
import { HintedTimer } from './hinted-timer.ts';
import type { NodeMemory } from './node-memory.ts';
import type { NotableEvents } from './notable-events.ts';
import { openPrivateKeys } from './private-keys.ts';

export interface RevocationPollOptions {
  /** A direct connection of its own, so that no starved pool delays it. Reconnects by itself. */
  readonly connection: {
    use<T>(work: (client: Queryable) => Promise<T>, options?: { timeoutMs?: number }): Promise<T>;
    readonly generation: number;
    close(): Promise<void>;
  };
  readonly memory: NodeMemory;
  readonly keyWrap: KeyWrap;
  readonly seal: RecordSeal;
  readonly intervalMs: number;
  /** Revocations that one statement reads; by default 5,000. */
  readonly pageRows?: number;
  /** Knows the log; checked on every new connection. */
  readonly guard: Pick<LogGuard, 'check' | 'refuse' | 'sightings' | 'logId'>;
  readonly log: Pick<Logger, 'warn' | 'info' | 'error'>;
  /** Hears of each keyset that was read. Must not throw. */
  readonly notableEvents?: Pick<NotableEvents, 'keysetRead'>;
}

/**
 * For an entry of these kinds the poll adds it to the revocation set and is done. For any other
 * kind it also reads the clients and the keyset again.
 */
const heldAsEntry: ReadonlySet<RevocationTarget> = new Set(['session', 'user', 'roles']);
const pageRowsDefault = 5_000;
const pollMs = 1_500;
/** After this long a poll leaves the remaining pages to the next one. */
const pagingMs = 500;
/** How often the newest events are looked at when none of them revokes anything. */
const lookMs = 250;

/** A pass over all revocations committed since the last one; many of them take several polls. */
interface Scan {
  after: RevocationPlace;
  /** Transactions that were under way at the end of the last pass, until they were looked at. */
  open: readonly string[];
  greatestXact: string;
  /** What has been seen once this pass is through. */
  readonly moment: Moment;
  readonly start: Instant;
}

/**
 * Keeps a node's memory current. Each poll asks for the revocations of every transaction that was
 * committed since the snapshot of the last one, in any order. So an append that stays open delays
 * no logout and makes the poll read nothing twice. `nextPass` says where it begins.
 */
export class RevocationPoll {
  readonly #options: RevocationPollOptions;
  #generation: number | null = null;
  /** Up to where every commit was applied. */
  #seen: RevocationsRead = nothingRead;
  /** Its text, while nothing that was read since would have to be read again. */
  #seenText: string | null = null;
  #scan: Scan | null = null;
  /** Which server, since which start: another one gives the same ids to other transactions. */
  #server: string | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #timer = new HintedTimer(() => void this.#turn());
  #polling: Promise<unknown> = Promise.resolve();
  #failure: string | null = null;

  constructor(options: RevocationPollOptions) {
    this.#options = options;
  }

  /** Loads everything once, then polls. Rejects when the first load fails. */
  async start(): Promise<void> {
    while (!(await this.#next()));
    this.#timer.schedule(this.#options.intervalMs);
  }

  async stop(): Promise<void> {
    this.#timer.stop();
    await this.#polling.catch(() => {});
    await this.#options.connection.close();
  }

  /**
   * Somebody says that there is something new: polls at once, or as soon as the poll under way has
   * ended. It need not be true, so many hints cost at most a poll every 5 ms.
   */
  hint(): void {
    // While polls fail, strangers who hint must not make it fail faster.
    if (this.#failure === null) this.#timer.hint();
  }

  /** One poll now, for a caller that must see its own change to keys or clients. */
  async refresh(): Promise<void> {
    await this.#next();
  }

  /** Polls go one after the other: an older moment must not replace a newer one. */
  #next(): Promise<boolean> {
    const next = this.#polling.then(
      () => this.#poll(),
      () => this.#poll(),
    );
    this.#polling = next;
    return next;
  }

  async #turn(): Promise<void> {
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
    this.#timer.schedule(isComplete ? this.#options.intervalMs : 0);
  }

  /** Answers whether everything visible was read; only then the lease is renewed. */
  async #poll(): Promise<boolean> {
    const { connection, memory, guard } = this.#options;
    const start = { now: Date.now(), monotonicNow: performance.now() };
    const readFrom = await connection.use(
      (client) => this.#pollOn(client, connection.generation, start),
      { timeoutMs: pollMs },
    );
    if (readFrom === null) return false;
    memory.leases.ofLog(guard.logId).renew(readFrom);
    return true;
  }

  /** The instant from which on something may have been missed; null while pages remain. */
  async #pollOn(client: Queryable, generation: number, start: Instant): Promise<Instant | null> {
    if (this.#generation !== generation) await this.#begin(client, generation);
    if (this.#scan === null) {
      const moment = await readMoment(client);
      if (moment.server !== this.#server) throw new Error('another server answers than before');
      // A node whose clock is ahead must not forget what still counts by the database's.
      this.#options.memory.revocations.prune(Math.min(start.now, moment.at), 0.01);
      if (moment.text === this.#seenText) return start;
      const { greatestXact } = this.#seen;
      this.#scan = { ...nextPass(this.#seen), greatestXact, moment, start };
    }
    const scan = this.#scan;
    if (!(await this.#apply(client, scan))) return null;
    this.#scan = null;
    this.#seen = { snapshot: scan.moment.snapshot, greatestXact: scan.greatestXact };
    this.#seenText = scan.moment.text;
    return scan.start;
  }

  /**
   * A new connection may lead to another log, or to a server that has lost commits: it is compared
   * with what this node has seen, and another server is read from the beginning.
   */
  async #begin(client: Queryable, generation: number): Promise<void> {
    const { guard, memory } = this.#options;
    await guard.check(client);
    memory.leases.put(guard.logId);
    const { rows } = await client.query({
      text: 'select pg_postmaster_start_time()::text as server',
    });
    const server = rows[0]!.server as string;
    if (server !== this.#server) {
      this.#seen = nothingRead;
      this.#scan = null;
      this.#server = server;
    }
    this.#seenText = null;
    await this.#reload(client);
    this.#generation = generation;
  }

  /** Page by page, and the place with each: a poll that is cut has not read for nothing. */
  async #apply(client: Queryable, scan: Scan): Promise<boolean> {
    const { memory, pageRows } = this.#options;
    const pauseAt = performance.now() + pagingMs;
    const seen: number[] = [];
    let next: RevocationPlace | null;
    do {
      const page = await findRevocations(client, { ...scan, limit: pageRows ?? pageRowsDefault });
      for (const revocation of page.revocations) memory.revoke(revocation);
      // The place moves only afterwards: a reload that failed is owed again by the next poll.
      if (page.revocations.some(({ targetKind }) => !heldAsEntry.has(targetKind))) {
        await this.#reload(client);
      }
      for (const { pos } of page.revocations) seen.push(pos);
      next = page.next;
      const { snapshot } = scan.moment;
      scan.greatestXact = greatestXactRead(scan.greatestXact, snapshot, page.revocations);
      scan.open = [];
      scan.after = next ?? scan.after;
    } while (next !== null && performance.now() < pauseAt);
    await this.#look(client, seen);
    return next === null;
  }

  /** Remembers what stands in the log now, to be compared after the connection was lost. */
  async #look(client: Queryable, seen: readonly number[]): Promise<void> {
    const now = performance.now();
    if (seen.length === 0 && now < this.#lookedAt + lookMs) return;
    await this.#options.guard.sightings.look(client, seen);
    this.#lookedAt = now;
  }

  async #reload(client: Queryable): Promise<void> {
    const { memory, keyWrap, seal, notableEvents } = this.#options;
    const records = sealedReaders(client, seal);
    memory.replaceClients(await listClients(records));
    const state = await this.#trustedKeyset(records);
    // First the public keys: what verifies never waits for what signs.
    const before = memory.keyset;
    memory.replaceKeyset(state);
    notableEvents?.keysetRead(before, state);
    const opened = await openPrivateKeys(client, keyWrap, state, memory.privateKeys.usable);
    for (const { key, error } of opened.unusable) this.#reportUnusable(key, error);
    memory.replacePrivateKeys(opened);
  }

  /** Once for each key: the next reload tries again. */
  #reportUnusable({ kid, status }: KeysetKey, error: Error): void {
    const { memory, log } = this.#options;
    if (memory.privateKeys.unusable.some(({ key }) => key.kid === kid)) return;
    log.error({ err: error, kid, status }, 'an issuer key cannot be used to sign by this node');
  }

  /** A keyset that somebody else wrote is refused: the last good one stays, and verifies on. */
  async #trustedKeyset(records: SealedReaders): Promise<KeysetState> {
    const { memory, log } = this.#options;
    try {
      return (await findIssuerKeyset(records)).state;
    } catch (error) {
      const isRefused = error instanceof LatchkeyError && error.code === 'internal_error';
      if (!isRefused || memory.keyset.keys.length === 0) throw error;
      log.error({ err: error }, 'the issuer keyset was refused: the last good one stays in use');
      return memory.keyset;
    }
  }

  #recovered(): void {
    if (this.#failure !== null) this.#options.log.info('revocation poll recovered');
    this.#failure = null;
  }

  /** Logs each kind of failure once, so that what a failure has become is seen. */
  #failed(error: unknown): void {
    this.#generation = null;
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
