import { decodeRefreshToken } from '../../domain/session/refresh-token.ts';
import type { Node } from '../../node/node.ts';
import { recognized } from '../../node/verified-for.ts';
import { findSession } from '../../tables/session.ts';
import type { By } from '../by.ts';
import { revokeSession } from './revoke-session.ts';

/**
 * Ends the session of an access or refresh token, expired or not, if it is that client's (RFC 7009
 * section 2.1), without a proof of the key that it may be bound to: whoever finds a stolen one may
 * have it ended. Any other token is left alone and nobody is told. Raises `unavailable`.
 */
export async function revokeToken(
  node: Node,
  { token, clientId }: { readonly token: string; readonly clientId: string },
  by: By,
): Promise<void> {
  const sessionId = await sessionOf(node, token);
  if (sessionId === null) return;
  const session = await findSession(node.cells.of(sessionId).readers, sessionId);
  if (session?.state.clientId !== clientId) return;
  await revokeSession(node, { sessionId, reason: 'logout' }, by);
}

async function sessionOf(node: Node, token: string): Promise<string | null> {
  const refreshToken = decodeRefreshToken(token, node.secrets.refreshMacKeys);
  if (refreshToken !== null) return refreshToken.sessionId;
  const recognition = await recognized(node, token);
  return recognition.ok ? recognition.claims.sid : null;
}
