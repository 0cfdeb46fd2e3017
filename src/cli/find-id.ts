import { findUserByEmail } from '../app/user/find-user-by-email.ts';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { OperatorLog } from './open-log.ts';

/** The id of the user with this address. Raises `not_found`. */
export async function findId(opened: OperatorLog, email: string): Promise<string> {
  const user = await findUserByEmail(opened, email);
  if (user === null) throw new LatchkeyError('not_found', { detail: 'no user has this address' });
  return user.userId;
}
