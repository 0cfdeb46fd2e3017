import { z } from 'zod';
import { changePassword } from '../../app/user/change-password.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { bearer } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { credential, text } from './schemas.ts';

const anything = text(0, limits.loginStringCodePointsMax);

export function passwordRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/auth/password',
      summary: 'Change the password of the caller',
      description:
        'Every other session of the user ends. This one has to refresh, because its access token ' +
        'is stale.',
      tags: ['Account'],
      auth: bearer(),
      credential: 'access token and the current password',
      floor: true,
      limit: perUser('password'),
      spends: ['login_failure'],
      body: z.strictObject({ current_password: credential, new_password: anything }),
      responses: { 204: { description: 'Changed; every other session has ended' } },
      errors: ['invalid_credentials', 'conflict', 'password_refused'],
      handler: async ({ body, caller, context }) => {
        const payers = { address: context.address, name: caller.userId };
        const input = {
          userId: caller.userId,
          sessionId: caller.sessionId,
          currentPassword: body.current_password,
          newPassword: body.new_password,
        };
        await withFailureBudget(node.rateLimits, payers, (payTry) =>
          changePassword(node, { ...input, payTry }, context),
        );
        return reply(204);
      },
    }),
  ];
}
