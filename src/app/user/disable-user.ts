import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole } from '../../domain/user/roles.ts';
import type { Node } from '../../node/node.ts';
import { countOtherAdmins } from '../../tables/user.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { findUserWithSessions, guarded, guardedAdministrators } from '../guard.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { endSessions } from '../session/end-sessions.ts';
import { changeUser } from './change-user.ts';
import type { UserSwitch } from './user-switch.ts';

/**
 * Disables a user, ends every session and raises the epoch, in one transaction that a login at the
 * same moment cannot slip through. Idempotent. Raises `not_found`, `conflict` (the last
 * administrator), `unavailable`.
 */
export async function disableUser(
  node: Node,
  { userId, idempotencyKey }: UserSwitch,
  by: By,
): Promise<void> {
  const { readers, handler } = node.cells.of(userId);
  const repeatable = idempotentCommand(by, 'disable-user', userId, idempotencyKey);
  await handler.run(userId, async () => {
    const now = node.now();
    const [[user, live], others, repeated] = await Promise.all([
      findUserWithSessions(readers, userId),
      countOtherAdmins(node.cells.home.readers, userId),
      isRepeated(readers, userId, repeatable),
    ]);
    if (user === null) throw new LatchkeyError('not_found');
    if (repeated) return unchanged(() => undefined);
    const change = changeUser(userId, user, {
      type: 'DisableUser',
      now,
      otherActiveAdmins: others.count,
    });
    if (change.events.length === 0) return unchanged(() => undefined);
    const isAdmin = user.state.roles.includes(adminRole);
    const ended = endSessions(live, now, 'user_disabled');
    const administrators = isAdmin ? [guardedAdministrators(others.guard)] : [];
    const parts = [guarded(user, change), ...administrators, ...ended];
    return append(by, parts, () => undefined, repeatable.commandId);
  });
}
