import type { UserState } from '../../domain/user/state.ts';
import type { Node } from '../../node/node.ts';
import { streams } from '../../tables/streams.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { statesAround } from '../first-answer.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { changeUser } from './change-user.ts';
import { existingUser } from './existing-user.ts';
import type { UserSwitch } from './user-switch.ts';

/** What there was to lift. */
export interface Unlocked {
  readonly changed: boolean;
  readonly before: UserState;
}

/**
 * Lifts a user's lock and those of its devices, and forgets the failures behind them. Idempotent: a
 * retry is answered what the first try was. Raises `not_found`, `unavailable`.
 */
export async function unlockUser(
  node: Pick<Node, 'cells' | 'now'>,
  { userId, idempotencyKey }: UserSwitch,
  by: By,
): Promise<Unlocked> {
  const repeatable = idempotentCommand(by, 'unlock-user', userId, idempotencyKey);
  const { readers, handler } = node.cells.of(userId);
  return handler.run(userId, async () => {
    const user = await existingUser(readers, userId);
    if (await isRepeated(readers, userId, repeatable)) {
      const { commandId } = repeatable;
      const first = await statesAround(readers, userId, commandId, streams.user);
      return unchanged(() => ({ changed: true, before: first?.before ?? user.state }));
    }
    const change = changeUser(userId, user, { type: 'UnlockUser', now: node.now() });
    const changed = change.events.length > 0;
    const answer = () => ({ changed, before: user.state });
    return changed ? append(by, [change], answer, repeatable.commandId) : unchanged(answer);
  });
}
