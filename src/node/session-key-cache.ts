import { type KeyOwner, ownedKey, type VerificationKey } from '@latchkey/verifier/key-ring';
import { LRUCache } from 'lru-cache';
import type { SessionKey, SessionKeyAlgorithm } from '../domain/session/session-key.ts';
import type { SessionRecord } from '../tables/session.ts';
import type { SigningKey } from './signing-keys.ts';

export interface SessionKeyCacheOptions {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly clockSkewSeconds: number;
  /** Whether the revocation set names the session. */
  readonly isRevoked: (sessionId: string) => boolean;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

interface KnownKey {
  readonly sessionKey: SessionKey;
  readonly owner: KeyOwner;
  /** Made when it is asked for: many a session is never verified by the process that started it. */
  key: VerificationKey | null;
  /** Epoch milliseconds. */
  untilMs: number;
}

/** What an entry takes, with room for its names: measured as resident memory, key by key. */
const bytesOf = {
  public: { Ed25519: 2_048, ES256: 2_560 },
  private: { Ed25519: 2_048, ES256: 3_328 },
} as const satisfies Record<string, Record<SessionKeyAlgorithm, number>>;

/** After so long this process asks again whether the session of a key lives. */
const knownForMs = 3_600_000;

/**
 * The public keys of sessions that this process has met. A key is known for an hour, and never
 * beyond the end of its session: after a revocation it stays as long as the revocation set names
 * the session, so that the set refuses its tokens, and no longer. So a private key that leaks is
 * worth nothing once its session has ended.
 */
export class SessionKeyCache {
  readonly #keys: LRUCache<string, KnownKey>;
  readonly #kids = new Map<string, string>();
  readonly #skewMs: number;
  readonly #isRevoked: (sessionId: string) => boolean;
  readonly #now: () => number;
  /** How often a key was asked for and known. */
  hits = 0;

  constructor(options: SessionKeyCacheOptions) {
    this.#keys = new LRUCache({
      max: options.entriesMax,
      maxSize: options.bytesMax,
      sizeCalculation: ({ sessionKey }) => bytesOf.public[algOf(sessionKey)],
      dispose: ({ owner }) => this.#kids.delete(owner.sessionId),
    });
    this.#skewMs = options.clockSkewSeconds * 1000;
    this.#isRevoked = options.isRevoked;
    this.#now = options.now ?? Date.now;
  }

  find(kid: string): VerificationKey | undefined {
    const known = this.#keys.get(kid);
    if (known === undefined) return undefined;
    if (known.untilMs <= this.#now()) {
      this.#keys.delete(kid);
      return undefined;
    }
    this.hits += 1;
    known.key ??= ownedKey({ ...known.sessionKey, alg: algOf(known.sessionKey) }, known.owner);
    return known.key;
  }

  /** Takes the key of a live session, if it has one. Answers whether `find` finds it now. */
  put({ sessionId, state }: Pick<SessionRecord, 'sessionId' | 'state'>): boolean {
    const { sessionKey, userId, expiresAt } = state;
    if (sessionKey === null || this.#isRevoked(sessionId)) return false;
    const now = this.#now();
    const untilMs = Math.min(expiresAt + this.#skewMs, now + knownForMs);
    if (untilMs <= now) return false;
    const { kid } = sessionKey;
    const key = this.#keys.peek(kid)?.key ?? null;
    this.#keys.set(kid, { sessionKey, owner: { sessionId, userId }, key, untilMs });
    this.#kids.set(sessionId, kid);
    return true;
  }

  /** The session has ended, and the revocation set names it until then (epoch milliseconds). */
  endSession(sessionId: string, untilMs: number): void {
    const kid = this.#kids.get(sessionId);
    const known = kid === undefined ? undefined : this.#keys.peek(kid);
    if (known !== undefined) known.untilMs = Math.min(known.untilMs, untilMs);
  }

  get size(): number {
    return this.#keys.size;
  }

  get bytes(): number {
    return this.#keys.calculatedSize;
  }
}

/** The private keys of sessions that this process has opened within an hour, by session. */
export class SessionSigningKeyCache {
  readonly #keys: LRUCache<string, SigningKey>;
  readonly #isRevoked: (sessionId: string) => boolean;

  constructor({ entriesMax, bytesMax, isRevoked, now = Date.now }: SessionKeyCacheOptions) {
    this.#isRevoked = isRevoked;
    this.#keys = new LRUCache({
      max: entriesMax,
      maxSize: bytesMax,
      sizeCalculation: ({ alg }) => bytesOf.private[alg as SessionKeyAlgorithm],
      ttl: knownForMs,
      ttlResolution: 0,
      perf: { now },
    });
  }

  find(sessionId: string, kid: string): SigningKey | undefined {
    const key = this.#keys.get(sessionId);
    return key?.kid === kid ? key : undefined;
  }

  put(sessionId: string, key: SigningKey): void {
    if (!this.#isRevoked(sessionId)) this.#keys.set(sessionId, key);
  }

  endSession(sessionId: string): void {
    this.#keys.delete(sessionId);
  }

  get size(): number {
    return this.#keys.size;
  }
}

/** The algorithm that the key was made for, as its own JWK says. */
function algOf({ jwk }: SessionKey): SessionKeyAlgorithm {
  return jwk.alg as SessionKeyAlgorithm;
}
