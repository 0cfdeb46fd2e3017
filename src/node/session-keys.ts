import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { SessionKey, SessionKeyAlgorithm } from '../domain/session/session-key.ts';
import { type KeyWrap, KeyWrapError } from '../platform/crypto/key-wrap.ts';
import type { Logger } from '../platform/logging/logging.ts';
import { findSessionKeySecret } from '../tables/session-key.ts';
import type { Cells } from './cell.ts';
import type { Config } from './config.ts';
import type { NodeMemory } from './node-memory.ts';
import type { ServerSecrets } from './server-secrets.ts';
import { SessionKeyLookup } from './session-key-lookup.ts';
import { makeSessionKey, SessionKeyPool, type UnusedSessionKey } from './session-key-pool.ts';
import { importSigningKey, type SigningKey } from './signing-keys.ts';

interface SessionKeysParts {
  readonly config: Pick<Config, 'sessionKeys' | 'signingPolicies'>;
  readonly cells: Cells;
  readonly memory: NodeMemory;
  readonly secrets: Pick<ServerSecrets, 'sessionKidKey'>;
  readonly keyWrap: KeyWrap;
  readonly log: Pick<Logger, 'warn'>;
}

/** What a process knows and does about the keys of single sessions. */
export class SessionKeys {
  readonly pool: SessionKeyPool;
  readonly lookup: SessionKeyLookup;
  readonly #parts: SessionKeysParts;
  readonly #opening = new Map<string, Promise<SigningKey | null>>();
  /** Logins that found the pool empty, and keys of live sessions that were gone. */
  readonly counts = { pool_empty: 0, missing: 0 };

  constructor(parts: SessionKeysParts) {
    this.#parts = parts;
    const { config, cells, memory, secrets, keyWrap, log } = parts;
    this.pool = new SessionKeyPool({
      make: () => makeSessionKey(config.sessionKeys.algorithm, secrets.sessionKidKey, keyWrap),
      readyMax: config.sessionKeys.readyMax,
      onEmpty: () => {
        this.counts.pool_empty += 1;
      },
      onFailed: (error) => log.warn({ err: error }, 'a session key could not be made ahead'),
    });
    this.lookup = new SessionKeyLookup({
      cache: memory.sessionKeys,
      tagKey: secrets.sessionKidKey,
      find: (kid) => cells.home.sessionsByKid.find(kid),
    });
  }

  /** Where sessions of some device type or client have keys of their own, those are made ahead. */
  async warm(): Promise<void> {
    const { config, memory } = this.#parts;
    const isUsed = Object.values(config.signingPolicies).includes('session');
    if (isUsed || memory.someClientSignsBySession) await this.pool.fill();
  }

  /** The session with this key is in the log: its first token may be signed and verified. */
  bind(sessionId: string, { signing }: UnusedSessionKey): void {
    this.#parts.memory.sessionSigningKeys.put(sessionId, signing);
  }

  /**
   * The private key of a session, opened once while the process remembers it; null when there is
   * none, which is so once the session has ended. Raises `unavailable`.
   */
  async signingKeyOf(sessionId: string, sessionKey: SessionKey): Promise<SigningKey | null> {
    const { kid } = sessionKey;
    const known = this.#parts.memory.sessionSigningKeys.find(sessionId, kid);
    if (known !== undefined) return known;
    const opening = this.#opening.get(kid) ?? this.#open(sessionId, sessionKey);
    this.#opening.set(kid, opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(kid);
    }
  }

  async #open(sessionId: string, { kid, jwk }: SessionKey): Promise<SigningKey | null> {
    const { cells, keyWrap, memory } = this.#parts;
    const wrapped = await findSessionKeySecret(cells.of(sessionId).readers, kid);
    if (wrapped === null) return null;
    const privateJwk = await keyWrap.unwrap(kid, wrapped).catch((cause: unknown) => {
      if (!(cause instanceof KeyWrapError)) throw cause;
      throw new LatchkeyError('unavailable', {
        cause,
        retryAfterSeconds: 1,
        detail: cause.message,
      });
    });
    const key = importSigningKey(kid, jwk.alg as SessionKeyAlgorithm, privateJwk);
    memory.sessionSigningKeys.put(sessionId, key);
    return key;
  }
}
