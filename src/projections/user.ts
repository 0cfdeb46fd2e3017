import type { EventValue } from '../domain/kernel/event.ts';
import type { UserState } from '../domain/user/state.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { safeInteger } from '../eventlog/read.ts';
import {
  fromTimestamp,
  fromTimestampOrNull,
  toHex,
  toTimestamp,
  toTimestampOrNull,
} from './columns.ts';

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

/** The row is the folded state; `userRecord` reads it back. */
export function userRow(userId: string, version: number, state: UserState) {
  return {
    user_id: userId,
    version,
    status: state.status,
    registered_at: toTimestamp(state.registeredAt),
    email_verified: state.emailVerified,
    has_password: state.hasPassword,
    roles: state.roles,
    epoch: state.epoch,
    failed_checks: state.failedChecks,
    lock_count: state.lockCount,
    locked_until: toTimestampOrNull(state.lockedUntil),
    last_failure_at: toTimestampOrNull(state.lastFailureAt),
    devices: state.devices as unknown as EventValue,
    password_changed_at: toTimestampOrNull(state.passwordChangedAt),
    pii: toHex(state.pii),
  };
}

const userColumns = `u.user_id, u.version, u.status, u.registered_at, u.email_verified, u.has_password, u.roles, u.epoch,
  u.failed_checks, u.lock_count, u.locked_until, u.last_failure_at, u.devices, u.password_changed_at, u.pii`;

const commandColumns = `${userColumns}, st.guard_v, k.wrapped as subject_key, p.hash as password_hash`;

const commandJoins = `join latchkey.streams st on st.stream_id = u.user_id
  left join latchkey.subject_keys k on k.subject_id = u.user_id
  left join latchkey.password_hashes p on p.user_id = u.user_id`;

export function userRecord(row: Record<string, unknown>): UserRecord {
  return {
    userId: row.user_id as string,
    version: row.version as number,
    state: {
      status: row.status as UserState['status'],
      registeredAt: fromTimestamp(row.registered_at),
      emailVerified: row.email_verified as boolean,
      hasPassword: row.has_password as boolean,
      roles: row.roles as string[],
      epoch: row.epoch as number,
      failedChecks: row.failed_checks as number,
      lockCount: row.lock_count as number,
      lockedUntil: fromTimestampOrNull(row.locked_until),
      lastFailureAt: fromTimestampOrNull(row.last_failure_at),
      devices: row.devices as UserState['devices'],
      passwordChangedAt: fromTimestampOrNull(row.password_changed_at),
      pii: row.pii as Uint8Array | null,
    },
  };
}

function userForCommand(row: Record<string, unknown>): UserForCommand {
  return {
    ...userRecord(row),
    guard: safeInteger(row.guard_v),
    subjectKey: row.subject_key as string | null,
    passwordHash: row.password_hash as string | null,
  };
}

export async function findUser(client: Queryable, userId: string): Promise<UserForCommand | null> {
  const { rows } = await client.query({
    name: 'find-user',
    text: `select ${commandColumns} from latchkey.users u ${commandJoins} where u.user_id = $1`,
    values: [userId],
  });
  return rows[0] === undefined ? null : userForCommand(rows[0]);
}

/** The owner of a session, read beside the session itself instead of after it. */
export async function findUserOfSession(
  client: Queryable,
  sessionId: string,
): Promise<UserForCommand | null> {
  const { rows } = await client.query({
    name: 'find-user-of-session',
    text: `select ${commandColumns} from latchkey.users u ${commandJoins}
      where u.user_id = (select user_id from latchkey.sessions where session_id = $1)`,
    values: [sessionId],
  });
  return rows[0] === undefined ? null : userForCommand(rows[0]);
}

/** By the keyed HMAC of an address's key. */
export async function findUserByIdentifier(
  client: Queryable,
  identifierMac: Uint8Array,
): Promise<UserForCommand | null> {
  const { rows } = await client.query({
    name: 'find-user-by-identifier',
    text: `select ${commandColumns} from latchkey.credentials c
      join latchkey.users u on u.user_id = c.user_id ${commandJoins} where c.identifier_mac = $1`,
    values: [identifierMac],
  });
  return rows[0] === undefined ? null : userForCommand(rows[0]);
}

/**
 * Newest first, after the cursor `{registeredAt, userId}` if there is one, with each one's wrapped
 * subject key.
 */
export async function listUsers(
  client: Queryable,
  page: { limit: number; after: { registeredAt: number; userId: string } | null },
): Promise<UserForCommand[]> {
  const { rows } = await client.query({
    name: 'list-users',
    text: `select ${commandColumns} from latchkey.users u ${commandJoins}
      where $1::timestamptz is null or (u.registered_at, u.user_id) < ($1, $2::uuid)
      order by u.registered_at desc, u.user_id desc limit $3`,
    values: [
      page.after === null ? null : toTimestamp(page.after.registeredAt),
      page.after?.userId ?? null,
      page.limit,
    ],
  });
  return rows.map(userForCommand);
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
    values: [userId, adminGuardStreamId],
  });
  return { count: safeInteger(rows[0]!.count), guard: safeInteger(rows[0]!.guard_v) };
}

/** The stream without events that changes of administrators guard (migration 000001). */
export const adminGuardStreamId = '00000000-0000-8000-8000-000000000001';
