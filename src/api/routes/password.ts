import { z } from 'zod';
import { changePassword } from '../../app/user/change-password.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { withFloor } from '../http/login-floor.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { text } from './schemas.ts';

const anything = text(0, limits.loginStringCodePointsMax);

export function passwordRoutes(node: Node): Route[] {
  const { config, rateLimits, metrics } = node;
  return [
    route({
      method: 'post',
      path: '/auth/password',
      summary: 'Change the password of the caller',
      description: 'Every other session ends. This one needs a refresh: its access token is stale.',
      tags: ['Account'],
      auth: 'bearer',
      spends: ['password', 'login_failure'],
      body: z.strictObject({ current_password: anything, new_password: anything }),
      responses: { 204: { description: 'Changed' } },
      errors: ['invalid_credentials', 'conflict', 'password_refused', 'rate_limited'],
      handler: async ({ body, caller, context }) => {
        const payers = { address: context.address, name: caller.userId };
        const input = {
          userId: caller.userId,
          sessionId: caller.sessionId,
          currentPassword: body.current_password,
          newPassword: body.new_password,
        };
        const floor = {
          floorMs: config.loginFloorMs,
          arrivedAt: context.arrivedAt,
          onOverrun: () => metrics.loginFloorOverruns.inc(),
        };
        await withFloor(floor, () =>
          withFailureBudget(rateLimits, payers, (payTry) =>
            changePassword(node, { ...input, payTry }, context),
          ),
        );
        return reply(204);
      },
    }),
  ];
}
