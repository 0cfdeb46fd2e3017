import { administratorsGuardId } from '../domain/kernel/ids.ts';
import type { UserState } from '../domain/user/state.ts';
import type { CommandRows } from '../eventlog/command.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { bytea } from '../platform/postgres/bytea.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import {
  ciphertext,
  confidential,
  countOrNull,
  fromTimestamp,
  json,
  plain,
  time,
  timeOrNull,
  toTimestamp,
  toTimestampOrNull,
} from './columns.ts';
import { StateTable, untrusted } from './table.ts';

export interface UserRecord {
  readonly userId: string;
  readonly version: number;
  readonly state: UserState;
}

/**
 * A user as a command needs it: with the guard of its stream, its wrapped subject key and its
 * password hash.
 */
export interface UserForCommand extends UserRecord {
  readonly guard: number;
  readonly subjectKey: string | null;
  readonly passwordHash: string | null;
}

export const users = new StateTable<UserState>('users', 'user_id', {
  status: plain('status'),
  registeredAt: time('registered_at'),
  emailVerified: plain('email_verified'),
  hasPassword: plain('has_password'),
  roles: plain('roles'),
  epoch: plain('epoch'),
  failedChecks: plain('failed_checks'),
  lockCount: plain('lock_count'),
  lockedUntil: timeOrNull('locked_until'),
  lastFailureAt: timeOrNull('last_failure_at'),
  devices: json('devices'),
  passwordChangedAt: timeOrNull('password_changed_at'),
  pii: ciphertext('pii'),
  mailProofs: json('mail_proofs'),
  newEmailPii: ciphertext('new_email_pii'),
  emailVersion: countOrNull('email_version'),
  erasedAt: timeOrNull('erased_at'),
  totp: json('totp'),
  recoveryCodeHashes: confidential(plain('recovery_code_hashes')),
  loginChallenges: json('login_challenges'),
});

const commandColumns = `${users.select('u', 'st')}, st.guard_v, k.wrapped as subject_key,
  p.hash as password_hash, p.mac as password_mac`;

const commandJoins = `join latchkey.streams st on st.stream_id = u.user_id
  left join latchkey.subject_keys k on k.subject_id = u.user_id
  left join latchkey.password_hashes p on p.user_id = u.user_id`;

/**
 * The row of a password hash, if there is one, sealed together with the time of the password:
 * neither another user's hash nor an earlier one of the same user fits in its place.
 */
export function passwordRows(
  userId: string,
  { passwordChangedAt }: UserState,
  hash: string | null,
): CommandRows {
  if (hash === null) return {};
  const password_changed_at = toTimestampOrNull(passwordChangedAt);
  return { password_hashes: [{ user_id: userId, hash, password_changed_at }] };
}

/** The row of a password that is no longer one: it goes (migration 000010). */
export function removedPasswordRows(userId: string): CommandRows {
  return { password_hashes: [{ user_id: userId, hash: null, password_changed_at: null }] };
}

/** The lookup entry of a user name, which replaces the one that the user had. */
export function usernameRows(userId: string, identifierMac: Uint8Array): CommandRows {
  return { usernames: [{ identifier_mac: bytea(identifierMac), user_id: userId }] };
}

function trusted({ seal }: SealedReaders, row: Record<string, unknown>): boolean {
  const { user_id, password_changed_at, password_hash: hash, password_mac: mac } = row;
  if (!users.accepts(seal, row)) return false;
  if (hash === null) return true;
  const sealed = { user_id, hash, password_changed_at };
  return seal.accepts('password_hashes', sealed, mac, String(user_id));
}

/** Raises `internal_error` for a user that is not to be trusted. */
function oneUser(client: SealedReaders, [row]: Record<string, unknown>[]): UserForCommand | null {
  if (row === undefined) return null;
  if (!trusted(client, row)) throw untrusted('users');
  return userForCommand(row);
}

function userForCommand(row: Record<string, unknown>): UserForCommand {
  const { id, ...record } = users.record(row);
  return {
    userId: id,
    ...record,
    guard: safeInteger(row.guard_v),
    subjectKey: row.subject_key as string | null,
    passwordHash: row.password_hash as string | null,
  };
}

/** A user who was erased is not there. */
export async function findUser(
  client: SealedReaders,
  userId: string,
): Promise<UserForCommand | null> {
  const user = await findUserOrTombstone(client, userId);
  return user?.state.status === 'erased' ? null : user;
}

export async function findUserOrTombstone(
  client: SealedReaders,
  userId: string,
): Promise<UserForCommand | null> {
  const { rows } = await client.query({
    name: 'find-user',
    text: `select ${commandColumns} from latchkey.users u ${commandJoins} where u.user_id = $1`,
    values: [userId],
  });
  return oneUser(client, rows);
}

/** By the keyed HMAC of an address's key, or of a user name. */
export async function findUserByIdentifier(
  client: SealedReaders,
  identifierMac: Uint8Array,
  table: 'credentials' | 'usernames' = 'credentials',
): Promise<UserForCommand | null> {
  const { rows } = await client.query({
    name: `find-user-by-${table}`,
    text: `select ${commandColumns}, c.mac as credential_mac from latchkey.${table} c
      join latchkey.users u on u.user_id = c.user_id ${commandJoins} where c.identifier_mac = $1`,
    values: [identifierMac],
  });
  const [row] = rows;
  if (row !== undefined) {
    const { user_id, credential_mac: mac } = row;
    const credential = { identifier_mac: identifierMac, user_id };
    if (!client.seal.accepts(table, credential, mac, String(user_id))) {
      throw untrusted(table);
    }
  }
  return oneUser(client, rows);
}

/** A place in the order in which users are listed; `registeredAt` in epoch ms. */
export interface UserPlace {
  readonly registeredAt: number;
  readonly userId: string;
}

/** Those users of a page that are to be trusted; where the next one begins, null at the end. */
export interface UsersPage {
  readonly users: readonly UserForCommand[];
  /** How many users of the page are not to be trusted. */
  readonly leftOut: number;
  readonly next: UserPlace | null;
}

/**
 * Newest first, after a place if there is one, with each one's wrapped subject key. Without those
 * who were erased.
 */
export async function listUsers(
  client: SealedReaders,
  { limit, after }: { readonly limit: number; readonly after: UserPlace | null },
): Promise<UsersPage> {
  const { rows } = await client.query({
    name: 'list-users',
    text: `select ${commandColumns} from latchkey.users u ${commandJoins}
      where u.status <> 'erased'
        and ($1::timestamptz is null or (u.registered_at, u.user_id) < ($1, $2::uuid))
      order by u.registered_at desc, u.user_id desc limit $3`,
    values: [
      after === null ? null : toTimestamp(after.registeredAt),
      after?.userId ?? null,
      limit + 1,
    ],
  });
  const page = rows.slice(0, limit);
  const users = page.filter((row) => trusted(client, row)).map(userForCommand);
  // The place is that of the last row, trusted or not: the others are behind it.
  const next = rows.length > limit ? placeOf(page.at(-1)!) : null;
  return { users, leftOut: page.length - users.length, next };
}

function placeOf({ registered_at, user_id }: Record<string, unknown>): UserPlace {
  return { registeredAt: fromTimestamp(registered_at), userId: user_id as string };
}

/**
 * How many administrators who can log in there are besides `userId`, and the guard under which that count
 * stays true.
 */
export async function countOtherAdmins(
  client: Queryable,
  userId: string,
): Promise<{ count: number; guard: number }> {
  const { rows } = await client.query({
    name: 'count-other-admins',
    text: `select (select count(*) from latchkey.users u
        where 'latchkey:admin' = any (u.roles) and u.status = 'active' and u.has_password
          and u.user_id <> $1) as count,
      (select guard_v from latchkey.streams where stream_id = $2) as guard_v`,
    values: [userId, administratorsGuardId],
  });
  return { count: safeInteger(rows[0]!.count), guard: safeInteger(rows[0]!.guard_v) };
}
