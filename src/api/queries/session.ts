import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { expiryCause } from '../../domain/session/rotation.ts';
import { findLiveSessions } from '../../projections/session.ts';
import { findUser } from '../../projections/user.ts';
import { PersonalData } from '../personal-data.ts';
import { representSession } from '../representations.ts';
import type { Services } from '../services.ts';

/**
 * The sessions of a user that are live now, newest first. Raises `not_found` for an unknown user.
 */
export async function listSessions(
  services: Services,
  userId: string,
  currentSessionId: string | null,
) {
  const [user, live] = await Promise.all([
    findUser(services.readers, userId),
    findLiveSessions(services.readers, userId),
  ]);
  if (user === null) throw new LatchkeyError('not_found');
  const personal = await PersonalData.of(services.subjectKeys, userId, user.subjectKey);
  const now = services.now();
  return live
    .filter(({ state }) => expiryCause(state, now, services.config.sessionIdleSeconds) === null)
    .map(({ sessionId, state }) => representSession(sessionId, state, personal, currentSessionId));
}
