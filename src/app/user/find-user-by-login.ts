import { identifierKey } from '../../domain/user/identifier.ts';
import { parseUsername } from '../../domain/user/username.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { findUserByIdentifier, type UserForCommand } from '../../tables/user.ts';
import { findUserByEmail } from './find-user-by-email.ts';

type FindingNode = Parameters<typeof findUserByEmail>[0];

/** What somebody logs in with: an address, or else a user name. */
export interface LoginName {
  readonly email?: string | undefined;
  readonly username?: string | undefined;
}

/** The user whom any spelling of a user name names; null for a text that is none. */
async function findUserByUsername(node: FindingNode, text: string): Promise<UserForCommand | null> {
  const name = parseUsername(text);
  if (name === null) return null;
  const mac = identifierMac(node.secrets.identifierKey, name);
  return findUserByIdentifier(node.cells.home.readers, mac, 'usernames');
}

export function findUserByLogin(
  node: FindingNode,
  { email, username }: LoginName,
): Promise<UserForCommand | null> {
  if (username === undefined) return findUserByEmail(node, email ?? '');
  return findUserByUsername(node, username);
}

/** What a limit counts by: every spelling of a name or address is the same text. */
export function countedLoginName({ email, username }: LoginName): string {
  if (username === undefined) return identifierKey(email ?? '');
  return parseUsername(username) ?? identifierKey(username);
}
