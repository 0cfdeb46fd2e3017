import type { Node } from '../../node/node.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { changeUser } from './change-user.ts';
import { existingUser } from './existing-user.ts';
import type { UserSwitch } from './user-switch.ts';

/**
 * Lets a disabled user log in again; sessions stay ended. Idempotent. Raises `not_found`,
 * `unavailable`.
 */
export async function enableUser(
  node: Node,
  { userId, idempotencyKey }: UserSwitch,
  by: By,
): Promise<void> {
  const repeatable = idempotentCommand(by, 'enable-user', userId, idempotencyKey);
  const { readers, handler } = node.cells.of(userId);
  await handler.run(userId, async () => {
    const user = await existingUser(readers, userId);
    const repeated = await isRepeated(readers, userId, repeatable);
    const change = changeUser(userId, user, { type: 'EnableUser', now: node.now() });
    if (repeated || change.events.length === 0) return unchanged(() => undefined);
    return append(by, [change], () => undefined, repeatable.commandId);
  });
}
