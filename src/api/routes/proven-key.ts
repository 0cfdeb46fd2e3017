import type { IncomingMessage } from 'node:http';
import type { ProofRequest, ProvenKey } from '../../node/dpop-proofs.ts';
import type { Node } from '../../node/node.ts';
import { proofOfRequest } from '../http/presented-token.ts';
import type { RequestContext } from '../http/request-context.ts';

type Proving = Pick<Node, 'proofs' | 'config'>;

/**
 * The key that a request to this endpoint proves, or null where it sends no `DPoP` header. Uses the
 * proof up on this node, and sends the client its next nonce. `accessToken`: the one that the proof
 * came with, if it did. Raises `invalid_dpop_proof`, `use_dpop_nonce`, `unavailable`.
 */
export function provenKey(
  { proofs, config }: Proving,
  raw: IncomingMessage,
  context: RequestContext,
  accessToken: string | null = null,
): ProvenKey | null {
  const request = requestOf(config, raw);
  if (request.proof === null) return null;
  const key = proofs.check(request, accessToken);
  proofs.use(key);
  context.dpopNonce = key.nextNonce;
  return key;
}

/** Raises `use_dpop_nonce` where the proof of a request is good but for its nonce, as far as read. */
export function requireNonce({ proofs, config }: Proving, raw: IncomingMessage): void {
  const { proof, ...request } = requestOf(config, raw);
  if (proof !== null) proofs.requireNonce({ ...request, proof });
}

function requestOf({ tokens }: Proving['config'], raw: IncomingMessage): ProofRequest {
  const { path, ...request } = proofOfRequest(raw);
  return { ...request, uri: tokens.issuer + path };
}
