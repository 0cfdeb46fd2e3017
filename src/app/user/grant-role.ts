import type { Node } from '../../node/node.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { changeUser } from './change-user.ts';
import { existingUser } from './existing-user.ts';

/**
 * Grants a role; access tokens carry it from the next refresh on. Idempotent. Raises `not_found`,
 * `invalid_request` (not a role that can be granted), `unavailable`.
 */
export async function grantRole(
  node: Node,
  { userId, role }: { readonly userId: string; readonly role: string },
  by: By,
): Promise<void> {
  const { readers, handler } = node.cells.of(userId);
  await handler.run(userId, async () => {
    const user = await existingUser(readers, userId);
    const change = changeUser(userId, user, { type: 'GrantRole', now: node.now(), role });
    return append(by, [change], () => undefined);
  });
}
