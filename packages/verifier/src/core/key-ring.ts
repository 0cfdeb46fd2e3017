import type { KeyObject } from 'node:crypto';
import { createPublicKey, verify } from 'node:crypto';
import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { signatureAlgorithms, withOptions } from './signature-algorithms.ts';

export interface VerificationKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** With its algorithm's options (`withOptions`). */
  readonly publicKey: KeyObject;
  readonly status: KeysetKey['status'];
  /** Counted on, also when the ring takes the keyset again. */
  readonly uses: { verifications: number };
  /** null: the issuer's, which signs for everybody. */
  readonly owner: KeyOwner | null;
}

/** Whom a session's own key signs for, and nobody else: `sid` and `sub` of its tokens. */
export interface KeyOwner {
  readonly sessionId: string;
  readonly userId: string;
}

/** Where a verifier finds its keys. */
export interface VerificationKeys {
  /** While it stays the same, so does every key of the issuer and its status. */
  readonly revision: number;
  find(kid: string): VerificationKey | undefined;
}

/**
 * The public keys by kid, prepared once. The algorithm belongs to the key (RFC 8725 section 3.1),
 * not to a token.
 */
export class KeyRing implements VerificationKeys {
  #keys: ReadonlyMap<string, VerificationKey> = new Map();
  #revision = 0;

  /**
   * Takes the whole keyset. A key that has not changed keeps its KeyObject, so tokens verified with
   * it stay cached. Throws, and changes nothing, when a key does not fit its algorithm.
   */
  replace(keyset: readonly Pick<KeysetKey, 'kid' | 'alg' | 'jwk' | 'status'>[]): void {
    const keys = new Map<string, VerificationKey>();
    for (const { kid, alg, jwk, status } of keyset) {
      const publicKey = importPublicKey(kid, alg, jwk);
      const known = this.#keys.get(kid);
      const isSame = known?.alg === alg && known.publicKey.equals(publicKey);
      keys.set(kid, {
        kid,
        alg,
        status,
        publicKey: isSame ? known.publicKey : publicKey,
        uses: isSame ? known.uses : { verifications: 0 },
        owner: null,
      });
    }
    this.#keys = keys;
    this.#revision += 1;
  }

  get revision(): number {
    return this.#revision;
  }

  find(kid: string): VerificationKey | undefined {
    return this.#keys.get(kid);
  }

  get size(): number {
    return this.#keys.size;
  }
}

/**
 * The key of one session, which signs for its owner alone. Throws when it does not fit the
 * algorithm.
 */
export function ownedKey(
  { kid, alg, jwk }: Pick<KeysetKey, 'kid' | 'alg' | 'jwk'>,
  owner: KeyOwner,
): VerificationKey {
  const publicKey = importPublicKey(kid, alg, jwk);
  return { kid, alg, publicKey, status: 'active', uses: { verifications: 0 }, owner };
}

function importPublicKey(kid: string, alg: SigningAlgorithm, jwk: KeysetKey['jwk']): KeyObject {
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  if (signatureAlgorithms[alg].fits(publicKey)) return withOptions(publicKey, alg);
  throw new Error(`key ${kid} does not fit the algorithm ${alg}`);
}

/**
 * Whether `signature` is the key's over `signed`. False, not an exception, for one of the wrong
 * length.
 */
export function isSignedBy(
  { alg, publicKey }: VerificationKey,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(signatureAlgorithms[alg].digest, signed, publicKey, signature);
  } catch {
    return false;
  }
}
