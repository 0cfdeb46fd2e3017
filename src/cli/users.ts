import { unlockUser } from '../app/user/unlock-user.ts';
import { isId } from '../domain/kernel/ids.ts';
import { isLocked } from '../domain/user/lockout.ts';
import type { UserState } from '../domain/user/state.ts';
import { loadConfig } from '../node/config.ts';
import { findId } from './find-id.ts';
import { withOpenLog } from './open-log.ts';
import { byOperator } from './operator.ts';

/**
 * Lifts the lock of the user with this id or address, against the database itself: it works while
 * every administrator is locked out. It needs the KEK, as everything that writes to the log.
 */
export async function usersUnlock(emailOrId: string): Promise<void> {
  await withOpenLog(loadConfig(), 'latchkey users', async (opened) => {
    const userId = isId(emailOrId) ? emailOrId : await findId(opened, emailOrId);
    const node = { ...opened, now: Date.now };
    const { changed, before } = await unlockUser(
      node,
      { userId, idempotencyKey: opened.idempotencyKey },
      byOperator(),
    );
    console.log(changed ? `${userId}: ${lifted(before, Date.now())}` : `${userId} was not locked`);
    if (before.status === 'disabled')
      console.log('The user is disabled: enable it to let it log in.');
  });
}

function lifted(before: UserState, now: number): string {
  const devices = before.devices.failures.filter((failures) => isLocked(failures, now)).length;
  const until = isLocked(before, now)
    ? `unlocked; it was locked until ${new Date(before.lockedUntil!).toISOString()}`
    : 'was not locked now';
  const forgotten = `${before.failedChecks} wrong passwords and the locks of ${devices} devices`;
  return `${until}; forgot ${forgotten}`;
}
