import type { RequestContext } from '../../api/http/request-context.ts';
import { decodeRefreshToken } from '../../domain/session/refresh-token.ts';
import type { Services } from '../../node/services.ts';
import { findSession } from '../../tables/session.ts';
import { revokeSession } from './revoke-sessions.ts';

/**
 * Ends the session of an access or refresh token, expired or not, if it is that client's (RFC 7009
 * section 2.1). Any other token is left alone and nobody is told. Raises `unavailable`.
 */
export async function revokeToken(
  services: Services,
  { token, clientId }: { readonly token: string; readonly clientId: string },
  context: RequestContext,
): Promise<void> {
  const sessionId = sessionOf(services, token);
  if (sessionId === null) return;
  const session = await findSession(services.readers, sessionId);
  if (session?.state.clientId !== clientId) return;
  await revokeSession(services, { sessionId, reason: 'logout' }, context);
}

function sessionOf({ secrets, memory }: Services, token: string): string | null {
  const refreshToken = decodeRefreshToken(token, secrets.refreshMacKeys);
  if (refreshToken !== null) return refreshToken.sessionId;
  const recognition = memory.verifier.recognize(token);
  return recognition.ok ? recognition.claims.sid : null;
}
