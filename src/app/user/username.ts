import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { readNewUsername } from '../../domain/user/username.ts';
import { UniqueViolationError } from '../../eventlog/command.ts';
import type { Node } from '../../node/node.ts';
import { sendsMail } from '../../node/sends-mail.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { findUserByIdentifier, usernameRows } from '../../tables/user.ts';
import type { Part } from '../append.ts';

/** What user names need of a node. */
type NamingNode = Pick<Node, 'cells'> & {
  readonly secrets: Pick<Node['secrets'], 'identifierKey'>;
};

/**
 * The name that somebody wants to take, as it is stored. Raises `invalid_request` for one that
 * nobody may take, and where this installation has no user names.
 */
export function acceptedUsername({ config }: Pick<Node, 'config'>, text: string): string {
  if (!config.usernames.enabled) throw invalidField('username', 'user names are off');
  const read = readNewUsername(text);
  if ('name' in read) return read.name;
  throw invalidField('username', read.says);
}

/**
 * Raises `invalid_request` for somebody who chooses a name before the address is proven, where mail
 * proves addresses: else an address that nobody owns holds a name, and a name that is taken tells
 * of a user to whoever may not learn of one.
 */
export function requireProvenAddress(
  { config }: Pick<Node, 'config'>,
  { emailVerified }: { readonly emailVerified: boolean },
): void {
  if (emailVerified || !sendsMail(config)) return;
  throw invalidField('username', 'can be chosen once the address is proven');
}

/** Raises `conflict` when another user has the name. */
export async function requireFreeUsername(
  { cells, secrets }: NamingNode,
  name: string,
  userId: string,
): Promise<void> {
  const mac = identifierMac(secrets.identifierKey, name);
  const owner = await findUserByIdentifier(cells.home.readers, mac, 'usernames');
  if (owner !== null && owner.userId !== userId) throw takenUsername();
}

/** The lookup entry of a name as a part of a command; nothing where there is no name. */
export function usernamePart(
  { secrets }: NamingNode,
  userId: string,
  name: string | undefined,
): Part {
  if (name === undefined) return {};
  return { rows: usernameRows(userId, identifierMac(secrets.identifierKey, name)) };
}

/** Whether a command failed because somebody took the name meanwhile. */
export function isTakenUsername(error: unknown): boolean {
  return error instanceof UniqueViolationError && error.constraint === 'usernames_pkey';
}

export function takenUsername(cause?: unknown): LatchkeyError {
  const errors = [{ path: 'username', message: 'another user has this name' }];
  return new LatchkeyError('conflict', { detail: 'user name is taken', errors, cause });
}
