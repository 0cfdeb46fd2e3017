import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Services } from '../../node/services.ts';
import { changeUser } from '../../tables/change.ts';
import { findUser } from '../../tables/user.ts';
import { metaOf } from '../actor.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import type { UserSwitch } from './disable-user.ts';

/**
 * Lets a disabled user log in again; sessions stay ended. Idempotent. Raises `not_found`,
 * `unavailable`.
 */
export async function enableUser(
  services: Services,
  { userId, idempotencyKey }: UserSwitch,
  context: RequestContext,
): Promise<void> {
  const repeatable = idempotentCommand(context, 'enable-user', userId, idempotencyKey);
  await services.handler.run(userId, async () => {
    const user = await findUser(services.readers, userId);
    if (user === null) throw new LatchkeyError('not_found');
    const repeated = await isRepeated(services.readers, userId, repeatable);
    const change = changeUser(userId, user, { type: 'EnableUser', now: services.now() });
    if (repeated || change.events.length === 0) return { command: null, answer: () => undefined };
    return {
      command: {
        commandId: repeatable.commandId,
        meta: metaOf(context),
        streams: [change.touch],
        rows: change.rows,
      },
      answer: () => undefined,
    };
  });
}
