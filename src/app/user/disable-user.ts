import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole } from '../../domain/user/roles.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Services } from '../../node/services.ts';
import { changeUser, mergeRows } from '../../tables/change.ts';
import { countOtherAdmins } from '../../tables/user.ts';
import { metaOf } from '../actor.ts';
import { findUserWithSessions, guardAdministrators, guardUser } from '../guard.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { endSessions } from '../session/revoke-sessions.ts';

export interface UserSwitch {
  readonly userId: string;
  readonly idempotencyKey: string | null;
}

/**
 * Disables a user, ends every session and raises the epoch, in one transaction that a login at the
 * same moment cannot slip through. Idempotent. Raises `not_found`, `conflict` (the last
 * administrator), `unavailable`.
 */
export async function disableUser(
  services: Services,
  { userId, idempotencyKey }: UserSwitch,
  context: RequestContext,
): Promise<void> {
  const { readers } = services;
  const repeatable = idempotentCommand(context, 'disable-user', userId, idempotencyKey);
  await services.handler.run(userId, async () => {
    const now = services.now();
    const [[user, live], others, repeated] = await Promise.all([
      findUserWithSessions(readers, userId),
      countOtherAdmins(readers, userId),
      isRepeated(readers, userId, repeatable),
    ]);
    if (user === null) throw new LatchkeyError('not_found');
    if (repeated) return nothing;
    const change = changeUser(userId, user, {
      type: 'DisableUser',
      now,
      otherActiveAdmins: others.count,
    });
    if (change.events.length === 0) return nothing;
    const isAdmin = user.state.roles.includes(adminRole);
    const ended = endSessions(live, now, 'user_disabled');
    return {
      command: {
        commandId: repeatable.commandId,
        meta: metaOf(context),
        streams: [
          guardUser(user, change.touch),
          ...(isAdmin ? [guardAdministrators(others.guard)] : []),
          ...ended.map(({ touch }) => touch),
        ],
        rows: mergeRows(change.rows, ...ended.map(({ rows }) => rows)),
      },
      answer: () => undefined,
    };
  });
}

const nothing: Attempt<undefined> = { command: null, answer: () => undefined };
