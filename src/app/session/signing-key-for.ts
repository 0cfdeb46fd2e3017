import type { DeviceType } from '@latchkey/contract/device-type';
import { isReservedRole } from '@latchkey/contract/reserved-role';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Signing } from '../../domain/session/session-key.ts';
import type { SessionState } from '../../domain/session/state.ts';
import type { Node } from '../../node/node.ts';
import type { UnusedSessionKey } from '../../node/session-key-pool.ts';
import type { SigningKey } from '../../node/signing-keys.ts';
import { findSession } from '../../tables/session.ts';

/** Whose key signs the tokens of a session that starts now: what its client says, or its device. */
export function signingOf(
  { config, memory }: Pick<Node, 'config' | 'memory'>,
  { clientId, deviceType }: { readonly clientId: string | null; readonly deviceType: DeviceType },
): Signing {
  const client = clientId === null ? undefined : memory.client(clientId);
  return client?.signing ?? config.signingPolicies[deviceType];
}

/**
 * The key that will sign the first token of a session, with these roles. `drawn`: the session's own
 * key, which may sign no role of Latchkey; null: it has none. Asked for before the append: a node
 * that cannot sign must not end other sessions. Raises `unavailable`.
 */
export function signingKeyOfLogin(
  { memory }: Pick<Node, 'memory'>,
  drawn: UnusedSessionKey | null,
  roles: readonly string[],
): SigningKey {
  if (drawn === null || roles.some(isReservedRole)) return memory.signingKey.get();
  return drawn.signing;
}

/**
 * The key that will sign the next token of a session, with these roles; chosen as at the login.
 * Asked for before the append: a node that cannot sign must not rotate. If the private key of a
 * session is gone although it lives, the issuer's signs, so that its user stays logged in. Raises
 * `unavailable`, also for a session that has ended meanwhile: a repeat is told so.
 */
export async function signingKeyOfRefresh(
  { cells, memory, sessionKeys }: Pick<Node, 'cells' | 'memory' | 'sessionKeys'>,
  sessionId: string,
  { sessionKey }: Pick<SessionState, 'sessionKey'>,
  roles: readonly string[],
): Promise<SigningKey> {
  if (sessionKey === null || roles.some(isReservedRole)) return memory.signingKey.get();
  const own = await sessionKeys.signingKeyOf(sessionId, sessionKey);
  if (own !== null) return own;
  const session = await findSession(cells.of(sessionId).readers, sessionId);
  if (session?.state.status !== 'live') {
    const detail = 'the session ended before its token was signed';
    throw new LatchkeyError('unavailable', { retryAfterSeconds: 1, detail });
  }
  sessionKeys.counts.missing += 1;
  return memory.signingKey.get();
}

/** A token of a committed session was signed: this node can verify it, and counts it. */
export function noteSigned(
  { memory }: Pick<Node, 'memory'>,
  { kid }: SigningKey,
  { sessionId, state }: { readonly sessionId: string; readonly state: SessionState },
): void {
  if (kid === state.sessionKey?.kid) memory.sessionKeys.put({ sessionId, state });
  else memory.signingKey.countUse(kid);
}
