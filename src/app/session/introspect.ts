import type { AccessTokenClaims } from '@latchkey/contract/access-token-claims';
import type { ClientState } from '../../domain/client/state.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { verifiedFor } from '../../node/verified-for.ts';

/** A client with it may introspect the tokens for every audience. */
const introspectAllScope = 'introspect.all';

/**
 * RFC 7662 section 2.2, from memory once the key of the session is there: the claims of a token that is good now, to a client that it is
 * meant for. For every other text, a refresh token included, the answer is `{active: false}` and
 * nothing more. Raises `invalid_client` for a public client, which proves nothing, and
 * `unavailable` when this node cannot say: that is no "inactive". Who asks about a token with `cnf`
 * checks the proof that came with it (RFC 9449 section 6.2).
 */
export async function introspect(
  node: Pick<Node, 'memory' | 'sessionKeys'>,
  client: Pick<ClientState, 'kind' | 'audiences' | 'scopes'>,
  token: string,
) {
  if (client.kind !== 'confidential') {
    throw new LatchkeyError('invalid_client', { detail: 'a public client introspects nothing' });
  }
  const everything = client.scopes.includes(introspectAllScope);
  const audiences = everything ? null : client.audiences;
  const use = { kind: 'introspection', audiences } as const;
  const verification = await verifiedFor(node, token, use, 'caller_checks');
  if (!verification.ok) {
    if (verification.code !== 'unavailable') return inactive;
    throw new LatchkeyError('unavailable', { detail: verification.reason });
  }
  const { claims } = verification;
  return { active: true, token_type: tokenTypeOf(claims), ...claims };
}

const tokenTypeOf = ({ cnf }: AccessTokenClaims) => (cnf === undefined ? 'Bearer' : 'DPoP');
const inactive = { active: false };
