import type { AccessTokenClaims } from '@latchkey/contract/access-token-claims';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { acceptedClaims } from './accepted-claims.ts';
import type { DpopProofs, ProofRequest, ProvenKey } from './dpop-proofs.ts';
import type { Node } from './node.ts';
import type { UseVerification } from './node-memory.ts';
import type { TokenUse } from './token-use.ts';
import { verifiedFor } from './verified-for.ts';

interface Holder {
  readonly memory: Node['memory'];
  readonly sessionKeys: Node['sessionKeys'];
  readonly proofs: Pick<DpopProofs, 'check' | 'use'>;
}

/**
 * The claims of a good access token that came under the scheme `DPoP`, and the key that it is bound
 * to and the request proves (RFC 9449 section 7.1). Uses the proof up. Raises what `acceptedClaims`
 * and `DpopProofs` raise, and `invalid_token` for a token that is not bound.
 */
export async function claimsOfBound(
  node: Holder,
  { token, use, request }: { token: string; use: TokenUse; request: ProofRequest },
): Promise<{ readonly claims: AccessTokenClaims; readonly key: ProvenKey }> {
  const verification = await verifiedFor(node, token, use, 'caller_checks');
  return proveKeyOf(node.proofs, verification, { token, request });
}

/** The same of a token whose verification is here: `caller_checks` was its `keyProof`. */
export function proveKeyOf(
  proofs: Holder['proofs'],
  verification: UseVerification,
  { token, request }: { readonly token: string; readonly request: ProofRequest },
): { readonly claims: AccessTokenClaims; readonly key: ProvenKey } {
  const claims = acceptedClaims(verification);
  const jkt = claims.cnf?.jkt;
  if (jkt === undefined) {
    throw new LatchkeyError('invalid_token', { detail: 'not bound, under the scheme DPoP' });
  }
  const key = proofs.check(request, token, jkt);
  proofs.use(key);
  return { claims, key };
}
