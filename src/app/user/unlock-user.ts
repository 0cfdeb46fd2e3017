import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { EventMeta } from '../../eventlog/command.ts';
import type { Services } from '../../node/services.ts';
import { changeUser } from '../../tables/change.ts';
import { findUser } from '../../tables/user.ts';
import { type IdempotentCommand, isRepeated } from '../idempotent-command.ts';

/** What there was to lift. */
export interface Unlocked {
  readonly changed: boolean;
  readonly before: UserState;
}

/**
 * Lifts a user's lock and those of its devices, and forgets the failures behind them. Idempotent.
 * Raises `not_found`, `unavailable`.
 */
export async function unlockUser(
  services: Pick<Services, 'readers' | 'handler' | 'now'>,
  userId: string,
  command: IdempotentCommand,
  meta: EventMeta,
): Promise<Unlocked> {
  return services.handler.run(userId, async () => {
    const user = await findUser(services.readers, userId);
    if (user === null) throw new LatchkeyError('not_found', { detail: 'no such user' });
    const repeated = await isRepeated(services.readers, userId, command);
    const change = changeUser(userId, user, { type: 'UnlockUser', now: services.now() });
    const changed = !repeated && change.events.length > 0;
    const answer = () => ({ changed, before: user.state });
    if (!changed) return { command: null, answer };
    const { commandId } = command;
    return { command: { commandId, meta, streams: [change.touch], rows: change.rows }, answer };
  });
}
