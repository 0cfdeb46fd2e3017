import { z } from 'zod';
import { changePassword } from '../../app/user/change-password.ts';
import { resetPassword } from '../../app/user/reset-password.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { bearer, none } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { linkRequestRoute } from './link-request.ts';
import { byAddress } from './payers.ts';
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
    linkRequestRoute(node, {
      path: '/auth/password/forgot',
      summary: 'Ask for a link that replaces a password',
      description: 'The answer is the same for an address that no user has.',
      tags: ['Sign in'],
      purpose: 'reset',
    }),
    reset(node),
  ];
}

function reset(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/password/reset',
    summary: 'Replace a password by the link in the mail',
    description: 'Every session of the user ends, and it logs nobody in.',
    tags: ['Sign in'],
    auth: none,
    credential: 'the token of the link',
    floor: true,
    limit: { budget: 'mail_link', by: byAddress },
    body: z.strictObject({ token: credential, new_password: anything }),
    responses: { 204: { description: 'Replaced; every session has ended' } },
    errors: ['invalid_token', 'password_refused'],
    handler: async ({ body, context }) => {
      await resetPassword(node, { token: body.token, newPassword: body.new_password }, context);
      return reply(204);
    },
  });
}
