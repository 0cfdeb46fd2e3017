import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { idleSecondsFor } from '../../domain/session/lifetimes.ts';
import { expiryCause } from '../../domain/session/rotation.ts';
import { isSessionKid } from '../../domain/session/session-key.ts';
import type { SessionState } from '../../domain/session/state.ts';
import type { Node } from '../../node/node.ts';
import { findSessionsWithKeys } from '../../tables/session-key.ts';
import { underConfig } from './find-sessions.ts';

/**
 * The public key of a live session, which is asked of the database each time. A kid without our tag
 * costs nothing; any other pays `onLookup` first. Raises `not_found` for a kid that never was and
 * for one whose session has ended alike.
 */
export async function findSessionKey(
  node: Pick<Node, 'cells' | 'config' | 'secrets' | 'now'>,
  kid: string,
  onLookup: () => void,
) {
  if (!isSessionKid(kid, node.secrets.sessionKidKey)) throw new LatchkeyError('not_found');
  onLookup();
  const session = await node.cells.home.sessionsByKid.find(kid);
  const key = session === null ? null : liveKey(node, session.state);
  if (key === null) throw new LatchkeyError('not_found');
  return key.jwk;
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
  return found.flatMap(({ state }) => {
    const key = liveKey(node, state);
    return key === null ? [] : [key.jwk];
  });
}

/** None, too, of a session that the clock has ended and no worker has noticed yet. */
function liveKey({ config, now }: Pick<Node, 'config' | 'now'>, state: SessionState) {
  const { deviceType } = state;
  const idleSeconds = idleSecondsFor(deviceType, config.sessions.idleSeconds, config.lifetimes);
  const isOver = expiryCause(underConfig(config, state), { now: now(), idleSeconds }) !== null;
  return isOver ? null : state.sessionKey;
}
