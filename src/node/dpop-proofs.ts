import type { KeyObject } from 'node:crypto';
import { needsNonce, verifyDpopProof } from '@latchkey/verifier/dpop-proof';
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
   * Asks for the nonce that a proof lacks, and looks neither at its key nor at its signature: any
   * other refusal is left to `check`. Raises `use_dpop_nonce`, which carries the nonce.
   */
  requireNonce(request: ProofRequest & { readonly proof: string }): void {
    const now = this.#now();
    const isGoodNonce = (nonce: string) => this.#nonces.windowOf(nonce, now) !== null;
    const expected = { ...this.#expected(request, now), accessToken: null, isGoodNonce };
    if (needsNonce(request.proof, expected)) throw this.#nonceRequired(now);
  }

  /**
   * The key that the request proves. `accessToken`: the one that it comes with, if it does; `jkt`:
   * the key that it must be. The proof may be shown again until `use`. Raises `invalid_dpop_proof`
   * and `use_dpop_nonce`, which carries the nonce.
   */
  check(request: ProofRequest, accessToken: string | null, jkt?: string): ProvenKey {
    if (request.proof === null) throw invalidDpopProof('none was sent');
    const now = this.#now();
    let window: number | null = null;
    const verified = verifyDpopProof(request.proof, {
      ...this.#expected(request, now),
      ...{ accessToken, jkt },
      isGoodNonce: (nonce) => {
        window = this.#nonces.windowOf(nonce, now);
        return window !== null;
      },
    });
    if (!verified.ok) {
      if (verified.code === 'use_dpop_nonce') throw this.#nonceRequired(now);
      throw invalidDpopProof(verified.reason);
    }
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

  #expected({ method, uri }: ProofRequest, now: number) {
    return {
      ...{ now, method, uri, keys: this.#keys },
      ageSecondsMax: limits.dpopProofAgeSecondsMax,
      clockSkewSeconds: limits.dpopProofAgeSecondsMax,
    };
  }

  #nonceRequired(now: number): LatchkeyError {
    const dpopNonce = this.#nonces.current(now);
    return new LatchkeyError('use_dpop_nonce', { detail: 'nonce', dpopNonce });
  }
}

export function invalidDpopProof(detail: string): LatchkeyError {
  return new LatchkeyError('invalid_dpop_proof', { detail: `proof: ${detail}` });
}
