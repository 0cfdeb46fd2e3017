import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Services } from '../../node/services.ts';
import { findSession } from '../../tables/session.ts';
import { findUser, listUsers, type UserForCommand } from '../../tables/user.ts';
import { decodeCursor, encodeCursor } from '../page-cursor.ts';
import { PersonalData } from '../personal-data.ts';
import { representSession, representUser, representUserToAdmin } from '../representations.ts';
import { underConfig } from '../session/find-sessions.ts';
import { findUserByEmail } from './find-user-by-email.ts';

/** A user and the session that asks. Raises `invalid_token` when either is gone. */
export async function findMe(services: Services, userId: string, sessionId: string) {
  const [user, session] = await Promise.all([
    findUser(services.readers, userId),
    findSession(services.readers, sessionId),
  ]);
  if (user === null || session === null) {
    throw new LatchkeyError('invalid_token', { detail: 'user or session is gone' });
  }
  const personal = await PersonalData.of(services.subjectKeys, userId, user.subjectKey);
  return {
    user: representUser(userId, user.state, personal),
    session: representSession(
      sessionId,
      underConfig(services.config, session.state),
      personal,
      sessionId,
    ),
  };
}

/** Users, newest first. Raises `invalid_request` for a cursor that is not ours. */
export async function pageOfUsers(
  services: Services,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | null },
) {
  const from = cursor === null ? null : decodeCursor(cursor);
  const after = from === null ? null : { registeredAt: from.at, userId: from.id };
  const found = await listUsers(services.readers, { limit: limit + 1, after });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    users: await Promise.all(page.map((user) => represent(services, user))),
    next_cursor: found.length > limit && last !== undefined ? cursorAt(last) : null,
  };
}

/**
 * The user with this address, in whatever spelling, found without reading anybody else's; in a
 * list, for it is a filter.
 */
export async function usersByEmail(services: Services, text: string) {
  const user = await findUserByEmail(services, text);
  return { users: user === null ? [] : [await represent(services, user)], next_cursor: null };
}

async function represent(services: Services, user: UserForCommand) {
  const personal = await PersonalData.of(services.subjectKeys, user.userId, user.subjectKey);
  return representUserToAdmin(user.userId, user.state, personal, services.now());
}

function cursorAt({ userId, state }: UserForCommand): string {
  return encodeCursor({ at: state.registeredAt, id: userId });
}
