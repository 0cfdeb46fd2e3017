import type { KeyObject } from 'node:crypto';
import { parseEmail } from '../domain/user/identifier.ts';
import type { Row } from '../eventlog/command.ts';
import { identifierMac } from '../platform/crypto/identifier-index.ts';
import { openPersonalData } from '../platform/crypto/subject-cipher.ts';
import { bytea } from '../platform/postgres/bytea.ts';

/** A user whose lookup entries are still to be made. */
export interface NamedUser {
  readonly userId: string;
  readonly pii: Uint8Array;
  /** The key of the subject. */
  readonly wrapped: string;
}

export interface LookupKeys {
  readonly identifierKey: KeyObject;
  readonly unwrapSubjectKey: (subjectId: string, wrapped: string) => Promise<Uint8Array>;
}

/** By which rows, of which tables, the user is found: by the address, and by a name if any. */
export async function lookupRows(
  { identifierKey, unwrapSubjectKey }: LookupKeys,
  { userId, pii, wrapped }: NamedUser,
): Promise<(readonly [table: 'credentials' | 'usernames', row: Row])[]> {
  const profile = openPersonalData(await unwrapSubjectKey(userId, wrapped), userId, pii);
  const email = parseEmail(profile.email ?? '');
  if (email === null) throw new Error(`the profile of user ${userId} holds no address`);
  const entry = (key: string) => ({
    identifier_mac: bytea(identifierMac(identifierKey, key)),
    user_id: userId,
  });
  const { username } = profile;
  return [
    ['credentials', entry(email.key)],
    ...(username === undefined ? [] : [['usernames', entry(username)] as const]),
  ];
}
