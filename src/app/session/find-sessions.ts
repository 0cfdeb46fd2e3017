import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { idleSecondsFor, lifetimesFor } from '../../domain/session/lifetimes.ts';
import { expiryCause, sessionEndsAt } from '../../domain/session/rotation.ts';
import type { SessionState } from '../../domain/session/state.ts';
import type { Node } from '../../node/node.ts';
import { findLiveSessions } from '../../tables/session.ts';
import { findUser } from '../../tables/user.ts';
import { PersonalData } from '../personal-data.ts';
import { representSession } from '../representations.ts';

/**
 * The sessions of a user that are live now, newest first. Raises `not_found` for an unknown user.
 */
export async function listSessions(node: Node, userId: string, currentSessionId: string | null) {
  const { readers } = node.cells.of(userId);
  const [user, live] = await Promise.all([
    findUser(readers, userId),
    findLiveSessions(readers, userId),
  ]);
  if (user === null) throw new LatchkeyError('not_found');
  const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
  const now = node.now();
  const { config } = node;
  const idleSecondsOf = ({ deviceType }: SessionState) =>
    idleSecondsFor(deviceType, config.sessions.idleSeconds, config.lifetimes);
  return live
    .map(({ sessionId, state }) => ({ sessionId, state: underConfig(config, state) }))
    .filter(({ state }) => expiryCause(state, { now, idleSeconds: idleSecondsOf(state) }) === null)
    .map(({ sessionId, state }) => representSession(sessionId, state, personal, currentSessionId));
}

/** A session with the end that it has under the lifetimes configured now. */
export function underConfig(config: Node['config'], state: SessionState): SessionState {
  const { sessionTtlSeconds } = lifetimesFor(state.deviceType, config.lifetimes);
  return { ...state, expiresAt: sessionEndsAt(state, sessionTtlSeconds) };
}
