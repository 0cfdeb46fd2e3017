import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole } from '../../domain/user/roles.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Services } from '../../node/services.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeUser } from '../../tables/change.ts';
import { countOtherAdmins, findUser } from '../../tables/user.ts';
import { metaOf } from '../actor.ts';
import { guardAdministrators } from '../guard.ts';

export interface RoleChange {
  readonly userId: string;
  readonly role: string;
}

/**
 * Grants a role; access tokens carry it from the next refresh on. Idempotent. Raises `not_found`,
 * `invalid_request` (not a role that can be granted), `unavailable`.
 */
export function grantRole(
  services: Services,
  change: RoleChange,
  context: RequestContext,
): Promise<void> {
  return changeRole(services, 'GrantRole', change, context);
}

/**
 * Revokes a role; access tokens that still carry it are stale at once. Idempotent. Raises
 * `not_found`, `conflict` (the last administrator), `unavailable`.
 */
export function revokeRole(
  services: Services,
  change: RoleChange,
  context: RequestContext,
): Promise<void> {
  return changeRole(services, 'RevokeRole', change, context);
}

async function changeRole(
  services: Services,
  type: 'GrantRole' | 'RevokeRole',
  { userId, role }: RoleChange,
  context: RequestContext,
): Promise<void> {
  const { readers, handler } = services;
  await handler.run(userId, async (): Promise<Attempt<undefined>> => {
    const now = services.now();
    const [user, others] = await Promise.all([
      findUser(readers, userId),
      countOtherAdmins(readers, userId),
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
    return {
      command:
        change.events.length === 0
          ? null
          : {
              commandId: newId(),
              meta: metaOf(context),
              streams: [change.touch, ...(countsAdmins ? [guardAdministrators(others.guard)] : [])],
              rows: change.rows,
            },
      answer: () => undefined,
    };
  });
}
