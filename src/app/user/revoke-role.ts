import { adminRole } from '../../domain/user/roles.ts';
import type { Node } from '../../node/node.ts';
import { countOtherAdmins } from '../../tables/user.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { guardedAdministrators } from '../guard.ts';
import { changeUser } from './change-user.ts';
import { existingUser } from './existing-user.ts';

/**
 * Revokes a role; access tokens that still carry it are stale at once. Idempotent. Raises
 * `not_found`, `conflict` (the last administrator), `unavailable`.
 */
export async function revokeRole(
  node: Node,
  { userId, role }: { readonly userId: string; readonly role: string },
  by: By,
): Promise<void> {
  const { readers, handler } = node.cells.of(userId);
  await handler.run(userId, async () => {
    const now = node.now();
    const [user, others] = await Promise.all([
      existingUser(readers, userId),
      countOtherAdmins(node.cells.home.readers, userId),
    ]);
    const command = { type: 'RevokeRole', now, role, otherActiveAdmins: others.count } as const;
    const change = changeUser(userId, user, command);
    const guard = role === adminRole ? [guardedAdministrators(others.guard)] : [];
    return append(by, [change, ...guard], () => undefined);
  });
}
