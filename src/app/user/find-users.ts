import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { findSession } from '../../tables/session.ts';
import { findUser, listUsers, type UserForCommand, type UserPlace } from '../../tables/user.ts';
import { decodeCursor, encodeCursor } from '../page-cursor.ts';
import { PersonalData } from '../personal-data.ts';
import { representSession, representUser, representUserToAdmin } from '../representations.ts';
import { underConfig } from '../session/find-sessions.ts';
import { findUserByLogin, type LoginName } from './find-user-by-login.ts';

/** A user and the session that asks. Raises `invalid_token` when either is gone. */
export async function findMe(node: Node, userId: string, sessionId: string) {
  const { readers } = node.cells.of(userId);
  const [user, session] = await Promise.all([
    findUser(readers, userId),
    findSession(readers, sessionId),
  ]);
  if (user === null || session === null) {
    throw new LatchkeyError('invalid_token', { detail: 'user or session is gone' });
  }
  const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
  return {
    user: representUser(userId, user.state, personal),
    session: representSession(
      sessionId,
      underConfig(node.config, session.state),
      personal,
      sessionId,
    ),
  };
}

/**
 * Users, newest first. One whose row is not to be trusted is left out, so a page may hold fewer than
 * `limit` and not be the last one. Raises `invalid_request` for a cursor that is not ours.
 */
export async function pageOfUsers(
  node: Node,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | null },
) {
  const from = cursor === null ? null : decodeCursor(cursor);
  const after = from === null ? null : { registeredAt: from.at, userId: from.id };
  const page = await listUsers(node.cells.home.readers, { limit, after });
  return {
    users: await Promise.all(page.users.map((user) => represent(node, user))),
    next_cursor: page.next === null ? null : cursorAt(page.next),
  };
}

/**
 * The user with this address or user name, in any spelling of it, as a list of one or none: it is a
 * filter, and so are both together. Reads no other user.
 */
export async function usersByName(node: Node, { email, username }: LoginName) {
  const named = await findUserByLogin(node, email === undefined ? { username } : { email });
  const isBoth = email !== undefined && username !== undefined;
  const other = isBoth ? await findUserByLogin(node, { username }) : named;
  const user = named?.userId === other?.userId ? named : null;
  return { users: user === null ? [] : [await represent(node, user)], next_cursor: null };
}

async function represent(node: Node, user: UserForCommand) {
  const personal = await PersonalData.of(node.subjectKeys, user.userId, user.subjectKey);
  return representUserToAdmin(user.userId, user.state, personal, node.now());
}

function cursorAt({ registeredAt, userId }: UserPlace): string {
  return encodeCursor({ at: registeredAt, id: userId });
}
