import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { clockFor } from '../../domain/session/lifetimes.ts';
import { isOver, sessionEndsAt } from '../../domain/session/rotation.ts';
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
  return live
    .filter(({ state }) => !isOver(state, { now, ...clockFor(state.deviceType, config) }))
    .map(({ sessionId, state }) => ({ sessionId, state: underConfig(config, state) }))
    .map(({ sessionId, state }) => representSession(sessionId, state, personal, currentSessionId));
}

/** A session with the end that it has under the lifetimes configured now. */
export function underConfig(config: Node['config'], state: SessionState): SessionState {
  const { sessionTtlSeconds } = clockFor(state.deviceType, config);
  return { ...state, expiresAt: sessionEndsAt(state, sessionTtlSeconds) };
}
