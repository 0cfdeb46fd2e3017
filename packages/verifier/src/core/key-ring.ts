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
}

/**
 * The public keys by kid, prepared once. The algorithm belongs to the key (RFC 8725 section 3.1),
 * not to a token.
 */
export class KeyRing {
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
      });
    }
    this.#keys = keys;
    this.#revision += 1;
  }

  /** While it stays the same, so does every key and its status. */
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
