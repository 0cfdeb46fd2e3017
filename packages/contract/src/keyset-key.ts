import type { SigningAlgorithm } from './signing-algorithm.ts';

export type KeyStatus = 'pending' | 'active' | 'retiring' | 'revoked';

/** One public key of the keyset. Times are epoch milliseconds. */
export interface KeysetKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly status: KeyStatus;
  readonly jwk: { readonly [member: string]: string };
  readonly generatedAt: number;
  readonly activatedAt: number | null;
  readonly retiredAt: number | null;
  readonly removeAfter: number | null;
  readonly revokedAt: number | null;
}
