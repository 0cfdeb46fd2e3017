import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { isSessionKid } from '../domain/session/session-key.ts';
import type { SessionRecord } from '../tables/session.ts';
import type { UseVerification } from './node-memory.ts';
import type { SessionKeyCache } from './session-key-cache.ts';

const lookupResults = ['found', 'absent', 'limited', 'failed'] as const;
type LookupResult = (typeof lookupResults)[number];

interface SessionKeyLookupOptions {
  readonly cache: Pick<SessionKeyCache, 'put'>;
  readonly tagKey: KeyObject;
  /** The live session with this key. */
  readonly find: (kid: string) => Promise<SessionRecord | null>;
  /** Look-ups that begin within a second; more are `unavailable`. */
  readonly perSecondMax?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

const pendingMax = 1_000;
const perSecondDefault = 5_000;
const absentMax = 20_000;
const absentForMs = 30_000;

/**
 * Brings the public key of a session that this process has not met into its cache. A kid without
 * our tag costs nothing. A key that many ask for at once is looked up once. One that is not there,
 * because its session has ended, is not looked for again for half a minute.
 */
export class SessionKeyLookup {
  readonly #options: SessionKeyLookupOptions;
  readonly #now: () => number;
  readonly #perSecondMax: number;
  readonly #pending = new Map<string, Promise<void>>();
  readonly #absent: LRUCache<string, true>;
  #second = 0;
  #begun = 0;
  /** Look-ups that began. A key that is known to be absent is not looked for. */
  misses = 0;
  /** By what came of it. */
  readonly results: Record<LookupResult, number> = { found: 0, absent: 0, limited: 0, failed: 0 };

  constructor(options: SessionKeyLookupOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#perSecondMax = options.perSecondMax ?? perSecondDefault;
    const perf = { now: this.#now };
    this.#absent = new LRUCache({ max: absentMax, ttl: absentForMs, ttlResolution: 0, perf });
  }

  /**
   * What a verification has to wait for before it is made again; null when nothing will come. It
   * rejects with `unavailable` where too many look-ups are under way, or the database is away.
   */
  awaitedBy(verification: UseVerification): Promise<void> | null {
    if (verification.ok || verification.code !== 'key_needed') return null;
    const { kid } = verification;
    if (kid === undefined || !isSessionKid(kid, this.#options.tagKey)) return null;
    return this.#absent.has(kid) ? null : this.#once(kid);
  }

  /**
   * Whether a verification that has waited still lacks its key: a kid with our tag and without a
   * key is that of a session which has ended.
   */
  hasEnded(verification: UseVerification): boolean {
    if (verification.ok || verification.code !== 'key_needed') return false;
    return verification.kid !== undefined && isSessionKid(verification.kid, this.#options.tagKey);
  }

  #once(kid: string): Promise<void> {
    const pending = this.#pending.get(kid);
    if (pending !== undefined) return pending;
    if (this.#pending.size >= pendingMax || !this.#mayBegin()) {
      this.results.limited += 1;
      const facts = { retryAfterSeconds: 1, detail: 'too many look-ups of session keys' };
      return Promise.reject(new LatchkeyError('unavailable', facts));
    }
    this.misses += 1;
    const begun = this.#lookUp(kid).finally(() => this.#pending.delete(kid));
    this.#pending.set(kid, begun);
    return begun;
  }

  #mayBegin(): boolean {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#begun = 0;
    }
    this.#begun += 1;
    return this.#begun <= this.#perSecondMax;
  }

  async #lookUp(kid: string): Promise<void> {
    try {
      const session = await this.#options.find(kid);
      const isFound = session !== null && this.#options.cache.put(session);
      if (!isFound) this.#absent.set(kid, true);
      this.results[isFound ? 'found' : 'absent'] += 1;
    } catch (error) {
      this.results.failed += 1;
      throw error;
    }
  }
}
