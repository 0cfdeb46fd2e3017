import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole } from '../../domain/user/roles.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { changeUser } from '../../tables/change.ts';
import { countOtherAdmins, findUser } from '../../tables/user.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { guardedAdministrators } from '../guard.ts';

export interface RoleChange {
  readonly userId: string;
  readonly role: string;
}

/**
 * Grants a role; access tokens carry it from the next refresh on. Idempotent. Raises `not_found`,
 * `invalid_request` (not a role that can be granted), `unavailable`.
 */
export function grantRole(node: Node, change: RoleChange, by: By): Promise<void> {
  return changeRole(node, 'GrantRole', change, by);
}

/**
 * Revokes a role; access tokens that still carry it are stale at once. Idempotent. Raises
 * `not_found`, `conflict` (the last administrator), `unavailable`.
 */
export function revokeRole(node: Node, change: RoleChange, by: By): Promise<void> {
  return changeRole(node, 'RevokeRole', change, by);
}

async function changeRole(
  node: Node,
  type: 'GrantRole' | 'RevokeRole',
  { userId, role }: RoleChange,
  by: By,
): Promise<void> {
  const { readers, handler } = node.cells.of(userId);
  await handler.run(userId, async (): Promise<Attempt<undefined>> => {
    const now = node.now();
    const [user, others] = await Promise.all([
      findUser(readers, userId),
      countOtherAdmins(node.cells.home.readers, userId),
    ]);
    if (user === null) throw new LatchkeyError('not_found');
    const change = changeUser(
      userId,
      user,
      type === 'GrantRole'
        ? { type, now, role }
        : { type, now, role, otherActiveAdmins: others.count },
    );
    const countsAdmins = type === 'RevokeRole' && role === adminRole;
    const guard = countsAdmins ? [guardedAdministrators(others.guard)] : [];
    return append(by, [change, ...guard], () => undefined);
  });
}
