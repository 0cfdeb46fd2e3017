import type { KeyObject } from 'node:crypto';
import { type DpopVerification, verifyDpopProof } from '@latchkey/verifier/dpop-proof';
import { ProofKeyCache } from '@latchkey/verifier/proof-key';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { limits } from '../domain/kernel/limits.ts';
import type { PublicJwk } from '../domain/session/device-key.ts';
import { DpopNonces } from './dpop-nonces.ts';
import { UsedProofs } from './used-proofs.ts';

/** What a request says of its proof. */
export interface ProofRequest {
  /** The `DPoP` header, or null. */
  readonly proof: string | null;
  readonly method: string;
  /** Absolute, as the client wrote it. */
  readonly uri: string;
}

/** The key of which a request has proved possession. */
export interface ProvenKey {
  readonly jkt: string;
  readonly jwk: PublicJwk;
  readonly jti: string;
  /** Number of the nonce's window. */
  readonly window: number;
  /** Epoch milliseconds: from then on no node accepts the proof, whoever has seen it. */
  readonly expiresAt: number;
  /** The nonce for the client's next proof, where that of this one will soon be too old. */
  readonly nextNonce: string | undefined;
}

const cachedKeysMax = 20_000;

/** The proofs of possession (RFC 9449) that this node is shown. No method does I/O. */
export class DpopProofs {
  readonly #nonces: DpopNonces;
  readonly #used = new UsedProofs(limits.usedProofsPerWindowMax);
  readonly #keys = new ProofKeyCache(cachedKeysMax);
  readonly #now: () => number;

  /** `now`: in epoch milliseconds. */
  constructor(
    nonceKey: KeyObject,
    { nonceSeconds }: { readonly nonceSeconds: number },
    now: () => number = () => Date.now(),
  ) {
    this.#nonces = new DpopNonces(nonceKey, nonceSeconds);
    this.#now = now;
  }

  /**
   * The key that the request proves. `accessToken`: the one that it comes with, if it does; `jkt`:
   * the key that it must be. The proof may be shown again until `use`. Raises `invalid_dpop_proof`
   * and `use_dpop_nonce`, which carries the nonce.
   */
  check({ proof, method, uri }: ProofRequest, accessToken: string | null, jkt?: string): ProvenKey {
    if (proof === null) throw invalidDpopProof('none was sent');
    const now = this.#now();
    let window: number | null = null;
    const verified = verifyDpopProof(proof, {
      ...{ now, method, uri, accessToken, jkt, keys: this.#keys },
      ageSecondsMax: limits.dpopProofAgeSecondsMax,
      clockSkewSeconds: limits.dpopProofAgeSecondsMax,
      isGoodNonce: (nonce) => {
        window = this.#nonces.windowOf(nonce, now);
        return window !== null;
      },
    });
    if (!verified.ok) throw this.#refusal(verified, now);
    const { jkt: proven, jwk, jti } = verified;
    return this.#proven({ jkt: proven, jwk, jti, window: window! }, now);
  }

  /** Once for each proof on this node. Raises `invalid_dpop_proof`, `unavailable`. */
  use({ jkt, jti, window }: ProvenKey): void {
    this.#used.forgetBefore(this.#nonces.windowAt(this.#now()) - 1);
    switch (this.#used.use(jkt, jti, window)) {
      case 'first':
        return;
      case 'again':
        throw invalidDpopProof('used before');
      case 'full':
        throw new LatchkeyError('unavailable', {
          detail: 'too many proofs to remember one more',
          dpopNonce: this.#nonces.current(this.#now()),
        });
    }
  }

  #proven(key: Omit<ProvenKey, 'expiresAt' | 'nextNonce'>, now: number): ProvenKey {
    const isCurrent = key.window >= this.#nonces.windowAt(now);
    return {
      ...key,
      expiresAt: this.#nonces.endOf(key.window),
      nextNonce: isCurrent ? undefined : this.#nonces.current(now),
    };
  }

  #refusal({ code, reason }: Extract<DpopVerification, { ok: false }>, now: number): LatchkeyError {
    if (code === 'invalid_dpop_proof') return invalidDpopProof(reason);
    return new LatchkeyError(code, { detail: reason, dpopNonce: this.#nonces.current(now) });
  }
}

export function invalidDpopProof(detail: string): LatchkeyError {
  return new LatchkeyError('invalid_dpop_proof', { detail: `proof: ${detail}` });
}
