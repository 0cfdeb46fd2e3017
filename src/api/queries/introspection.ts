import type { ClientState } from '../../domain/client/state.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { AccessTokenClaims } from '../../verifier/access-token-claims.ts';
import type { NodeMemory } from '../node-memory.ts';

/** May introspect every token, whoever it is meant for. */
export const introspectAllScope = 'introspect.all';

/**
 * RFC 7662 section 2.2, from memory: the claims of a token that is good now, to a client that it is
 * meant for. Whatever else is asked about, a refresh token included, is `{active: false}` and
 * nothing more. Raises `invalid_client` for a public client, which proves nothing, and
 * `unavailable` when this node cannot say: that is no "inactive".
 */
export function introspect(
  memory: Pick<NodeMemory, 'verify'>,
  client: Pick<ClientState, 'kind' | 'audiences' | 'scopes'>,
  token: string,
) {
  if (client.kind !== 'confidential') {
    throw new LatchkeyError('invalid_client', { detail: 'a public client introspects nothing' });
  }
  const verification = memory.verify(token);
  if (!verification.ok) {
    if (verification.code !== 'unavailable') return inactive;
    throw new LatchkeyError('unavailable', { detail: verification.reason });
  }
  const { claims } = verification;
  if (!mayIntrospect(client, claims)) return inactive;
  return { active: true, token_type: 'Bearer', ...claims };
}

const inactive = { active: false };

/**
 * Every token names the issuer beside its audience, for the issuer's own endpoints: being the
 * issuer's audience says something only about a token that has no other.
 */
function mayIntrospect(
  client: Pick<ClientState, 'audiences' | 'scopes'>,
  { aud, iss }: AccessTokenClaims,
): boolean {
  if (client.scopes.includes(introspectAllScope)) return true;
  const others = aud.filter((audience) => audience !== iss);
  const meantFor = others.length === 0 ? aud : others;
  return meantFor.some((audience) => client.audiences.includes(audience));
}
