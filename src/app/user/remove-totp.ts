import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import type { Change } from '../../tables/change.ts';
import { append, refuse, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { endSessions } from '../session/end-sessions.ts';
import { changeUser } from './change-user.ts';
import { type FactorOwner, shownFactor, userIsGone } from './own-factor.ts';
import type { PresentedFactor } from './presented-factor.ts';
import type { UserSwitch } from './user-switch.ts';

type Input = FactorOwner & { readonly factor: PresentedFactor | null };

/**
 * Removes the second factor of who shows it. Every other session ends, and the epoch rises. Raises
 * `invalid_request`, `invalid_credentials`, `unavailable`.
 */
export async function removeTotp(node: Node, input: Input, by: By): Promise<void> {
  const { userId, payTry } = input;
  await payTry();
  await node.cells.of(userId).handler.run(userId, () => attempt(node, input, by));
}

async function attempt(node: Node, input: Input, by: By): Promise<Attempt<undefined>> {
  const { userId, sessionId, factor } = input;
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const shown = await shownFactor(node, { ...input, user }, factor, by);
  if (shown.refusal !== undefined) return refuse(by, shown, 'second factor does not match');
  const remove = { type: 'RemoveTotp', now, by: 'user' } as const;
  const removed: Change<UserState> = consecutive(shown, changeUser(userId, shown, remove));
  const others = live.filter((session) => session.sessionId !== sessionId);
  const ended = endSessions(others, now, 'factor_changed');
  return append(by, [guarded(user, removed), ...ended], () => undefined);
}

/**
 * Removes the second factor of a person who lost it: the password alone logs in again. Every session
 * ends. Idempotent; answers whether there was one. Raises `not_found`, `unavailable`.
 */
export async function removeTotpOf(
  node: Pick<Node, 'cells' | 'now'>,
  { userId, idempotencyKey }: UserSwitch,
  by: By,
): Promise<boolean> {
  const { readers, handler } = node.cells.of(userId);
  const repeatable = idempotentCommand(by, 'remove-totp', userId, idempotencyKey);
  return handler.run(userId, async () => {
    const now = node.now();
    const [user, live] = await findUserWithSessions(readers, userId);
    if (user === null) throw new LatchkeyError('not_found', { detail: 'no such user' });
    if (await isRepeated(readers, userId, repeatable)) return unchanged(() => true);
    const removed = changeUser(userId, user, { type: 'RemoveTotp', now, by: 'admin' });
    if (removed.events.length === 0) return unchanged(() => false);
    const ended = endSessions(live, now, 'factor_changed');
    return append(by, [guarded(user, removed), ...ended], () => true, repeatable.commandId);
  });
}
