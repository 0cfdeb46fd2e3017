import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { clockFor } from '../../domain/session/lifetimes.ts';
import { isOver } from '../../domain/session/rotation.ts';
import { isSessionKid } from '../../domain/session/session-key.ts';
import type { Node } from '../../node/node.ts';
import type { SessionRecord } from '../../tables/session.ts';
import { findSessionsWithKeys } from '../../tables/session-key.ts';

/**
 * The public key of a live session, which is asked of the database each time. A kid without our tag
 * costs nothing; any other pays `onLookup` first. Raises `not_found` for a kid that never was and
 * for one whose session has ended alike.
 */
export async function findSessionKey(
  node: Pick<Node, 'cells' | 'config' | 'secrets' | 'now'>,
  kid: string,
  onLookup: () => void | Promise<void>,
) {
  if (!isSessionKid(kid, node.secrets.sessionKidKey)) throw new LatchkeyError('not_found');
  await onLookup();
  const session = await node.cells.home.sessionsByKid.find(kid);
  const jwk = session === null ? null : liveJwk(node, session);
  if (jwk === null) throw new LatchkeyError('not_found');
  return jwk;
}

/**
 * The public keys of a user's live sessions, newest first, in one query. Raises `not_found` for an
 * unknown user.
 */
export async function listSessionKeys(
  node: Pick<Node, 'cells' | 'config' | 'now'>,
  userId: string,
) {
  const found = await findSessionsWithKeys(node.cells.of(userId).readers, userId);
  if (found === null) throw new LatchkeyError('not_found');
  return found.map((session) => liveJwk(node, session)).filter((jwk) => jwk !== null);
}

/**
 * The JWK and whom it signs for, `sid` and `sub`, which every verifier has to compare. None, too,
 * of a session that the clock has ended and no worker has noticed yet.
 */
function liveJwk(
  { config, now }: Pick<Node, 'config' | 'now'>,
  { sessionId, state }: SessionRecord,
) {
  const { deviceType, sessionKey, userId } = state;
  const ended = isOver(state, { now: now(), ...clockFor(deviceType, config) });
  return ended || sessionKey === null ? null : { ...sessionKey.jwk, sid: sessionId, sub: userId };
}
