import type { IncomingMessage } from 'node:http';
import type { ProvenKey } from '../../node/dpop-proofs.ts';
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
  node: Proving,
  raw: IncomingMessage,
  context: RequestContext,
  accessToken: string | null = null,
): ProvenKey | null {
  const key = shownKey(node, raw, accessToken);
  if (key === null) return null;
  node.proofs.use(key);
  context.dpopNonce = key.nextNonce;
  return key;
}

/** The same for a request that is not answered yet: the proof stays good. */
export function shownKey(
  { proofs, config }: Proving,
  raw: IncomingMessage,
  accessToken: string | null = null,
): ProvenKey | null {
  const { path, ...request } = proofOfRequest(raw);
  if (request.proof === null) return null;
  return proofs.check({ ...request, uri: config.tokens.issuer + path }, accessToken);
}
