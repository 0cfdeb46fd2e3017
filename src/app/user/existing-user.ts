import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import { findUser } from '../../tables/user.ts';

/** The user with this id. Raises `not_found`. */
export async function existingUser(readers: SealedReaders, userId: string) {
  const user = await findUser(readers, userId);
  if (user === null) throw new LatchkeyError('not_found', { detail: 'no such user' });
  return user;
}
