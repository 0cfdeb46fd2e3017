import type { UserState } from '../../domain/user/state.ts';
import type { SessionRecord } from '../../tables/session.ts';
import { removedPasswordRows } from '../../tables/user.ts';
import type { Part } from '../append.ts';
import { endSessions } from '../session/end-sessions.ts';

/**
 * What ends with the first proof of an address, beside the user's own row: every session, and the
 * password unless it stays. `null` where the change was no first proof.
 */
export function endedByFirstProof(
  userId: string,
  {
    before,
    after,
    live,
  }: {
    readonly before: UserState;
    readonly after: UserState;
    readonly live: readonly SessionRecord[];
  },
  now: number,
): readonly Part[] | null {
  if (before.emailVerified || !after.emailVerified) return null;
  const removed = before.hasPassword && !after.hasPassword;
  return [
    ...(removed ? [{ rows: removedPasswordRows(userId) }] : []),
    ...endSessions(live, now, 'email_verified'),
  ];
}
