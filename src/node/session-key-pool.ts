import type { KeyObject } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type SessionKey,
  type SessionKeyAlgorithm,
  sessionKid,
} from '../domain/session/session-key.ts';
import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import { generateSessionKey, type SigningKey } from './signing-keys.ts';

/** A key pair that no session has yet. */
export interface UnusedSessionKey {
  readonly signing: SigningKey;
  readonly sessionKey: SessionKey;
  /** The private part. */
  readonly wrapped: string;
}

interface SessionKeyPoolOptions {
  readonly make: () => Promise<UnusedSessionKey>;
  /** How many wait, at most. */
  readonly readyMax: number;
  /** A login found none. */
  readonly onEmpty: () => void;
  /** One could not be made ahead; the next `take` tries again. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Key pairs made ahead of need, so that no login waits for one. Each is handed out once; between
 * two that it makes, the pool lets everything else go first.
 */
export class SessionKeyPool {
  readonly #options: SessionKeyPoolOptions;
  readonly #ready: UnusedSessionKey[] = [];
  #filling: Promise<void> | null = null;

  constructor(options: SessionKeyPoolOptions) {
    this.#options = options;
  }

  async take(): Promise<UnusedSessionKey> {
    const ready = this.#ready.pop();
    // At half: most logins then share the process with no key that is being made.
    if (this.#ready.length * 2 < this.#options.readyMax) void this.fill();
    if (ready !== undefined) return ready;
    this.#options.onEmpty();
    return this.#options.make();
  }

  /** Resolves when the pool is full, or a key could not be made. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  get size(): number {
    return this.#ready.length;
  }

  async #fill(): Promise<void> {
    const { make, readyMax, onFailed } = this.#options;
    try {
      while (this.#ready.length < readyMax) {
        await nextTurn();
        this.#ready.push(await make());
      }
    } catch (error) {
      onFailed(error);
    }
  }
}

/** Makes a key pair with a kid that carries our tag; wrapped at once. */
export async function makeSessionKey(
  alg: SessionKeyAlgorithm,
  tagKey: KeyObject,
  keyWrap: Pick<KeyWrap, 'wrap'>,
): Promise<UnusedSessionKey> {
  const kid = sessionKid(randomBytes(16), tagKey);
  if (kid === null) return makeSessionKey(alg, tagKey, keyWrap);
  const { signing, sessionKey, privateJwk } = await generateSessionKey(kid, alg);
  return { signing, sessionKey, wrapped: await keyWrap.wrap(kid, privateJwk) };
}
