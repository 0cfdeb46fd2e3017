import { enrolmentCode } from '../app/user/enrolment-code.ts';
import { existingUser } from '../app/user/existing-user.ts';
import { removeTotpOf } from '../app/user/remove-totp.ts';
import { unlockUser } from '../app/user/unlock-user.ts';
import { isId } from '../domain/kernel/ids.ts';
import { isLocked } from '../domain/user/lockout.ts';
import { hasSecondFactor } from '../domain/user/second-factor.ts';
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

/** Removes the second factor of the user with this id or address, against the database itself. */
export async function usersRemoveTotp(emailOrId: string): Promise<void> {
  await withOpenLog(loadConfig(), 'latchkey users', async (opened) => {
    const userId = isId(emailOrId) ? emailOrId : await findId(opened, emailOrId);
    const removed = await removeTotpOf(
      { ...opened, now: Date.now },
      { userId, idempotencyKey: opened.idempotencyKey },
      byOperator(),
    );
    console.log(
      removed
        ? `${userId}: the second factor is removed, and every session has ended`
        : `${userId} had no second factor`,
    );
  });
}

/**
 * Prints the code with which this user enrols a second factor, where ADMIN_SECOND_FACTOR demands
 * one. It writes nothing, and anybody with the KEK and the database may run it.
 */
export async function usersEnrolmentCode(emailOrId: string): Promise<void> {
  await withOpenLog(loadConfig(), 'latchkey users', async (opened) => {
    const userId = isId(emailOrId) ? emailOrId : await findId(opened, emailOrId);
    const user = await existingUser(opened.cells.of(userId).readers, userId);
    if (hasSecondFactor(user.state)) {
      console.log(`${userId} has a second factor: that one, or a recovery code, enrols another`);
    } else console.log(enrolmentCode(opened, user));
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
