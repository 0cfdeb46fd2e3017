import { z } from 'zod';
import { judgeInvite } from '../../app/invite/use-invite.ts';
import { registerUser, registrationId } from '../../app/user/register-user.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withTakenBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { idempotencyKey } from '../http/idempotency-key.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { registeredSchema, text } from './schemas.ts';

const registration = z.strictObject({
  email: text(1, limits.loginStringCodePointsMax),
  password: text(0, limits.loginStringCodePointsMax),
  invite: z.string().min(1).max(200).optional(),
});

export function registerRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/auth/register',
      summary: 'Register a user',
      tags: ['Sign in'],
      auth: 'none',
      spends: ['register', 'register_taken'],
      body: registration,
      responses: { 201: { description: 'Registered', schema: registeredSchema } },
      errors: ['forbidden', 'conflict', 'password_refused', 'rate_limited', 'unavailable'],
      idempotent: true,
      handler: async ({ body, headers, context }) => {
        const { config, rateLimits } = node;
        if (config.registration === 'closed') {
          throw new LatchkeyError('forbidden', { detail: 'registration is closed' });
        }
        const payers = { address: context.address };
        rateLimits.take('register', payers);
        const userId = registrationId(context, idempotencyKey(headers));
        const invite =
          config.registration === 'invite'
            ? await judgeInvite(node, body.invite, userId, context)
            : undefined;
        const input = {
          email: body.email,
          password: body.password,
          roles: [],
          emailVerified: false,
          userId,
          ...(invite === undefined ? {} : { invite }),
        };
        const user = await withTakenBudget(rateLimits, payers, (payTry) =>
          registerUser(node, { ...input, payTry }, context),
        );
        return reply(201, { user });
      },
    }),
  ];
}
