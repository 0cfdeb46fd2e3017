import { z } from 'zod';
import { judgeInvite } from '../../app/invite/use-invite.ts';
import { registerByMail } from '../../app/user/register-by-mail.ts';
import { registerUser, registrationId } from '../../app/user/register-user.ts';
import { acceptedUsername, requireProvenAddress } from '../../app/user/username.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withTakenBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { sendsMail } from '../../node/sends-mail.ts';
import { none } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { registeredSchema, text, usernameText } from './schemas.ts';

const registration = z.strictObject({
  email: text(1, limits.loginStringCodePointsMax),
  password: text(0, limits.loginStringCodePointsMax),
  username: usernameText.optional(),
  invite: z.string().min(1).max(200).optional(),
});

export function registerRoutes(node: Node): Route[] {
  const byMail = sendsMail(node.config);
  return [
    route({
      method: 'post',
      path: '/auth/register',
      summary: 'Register a user',
      description:
        'Where Latchkey sends mail, the answer is 202 for each address, and the mail says the ' +
        'rest. A `username` is refused then: choose it with `PATCH /auth/me` once the address ' +
        'is proven.',
      tags: ['Sign in'],
      auth: none,
      credential: 'none, or an invite',
      limit: {
        budget: 'register',
        by: ({ body, context }) => ({ address: context.address, name: body.email }),
      },
      spends: byMail ? ['register_taken', 'mail'] : ['register_taken'],
      ...(byMail ? { floor: 'always' as const } : {}),
      body: registration,
      responses: {
        201: { description: 'The user', schema: registeredSchema },
        202: { description: 'A mail is on its way' },
      },
      errors: ['forbidden', 'conflict', 'password_refused'],
      idempotent: true,
      guard: () => {
        if (node.config.registration.mode !== 'closed') return;
        throw new LatchkeyError('forbidden', { detail: 'registration is closed' });
      },
      handler: async ({ body, idempotencyKey, context }) => {
        const { email, password } = body;
        const userId = registrationId(context, idempotencyKey, byMail ? email : null);
        const invite =
          node.config.registration.mode === 'invite'
            ? await judgeInvite(node, { code: body.invite, registrationId: userId }, context)
            : undefined;
        if (byMail) {
          if (body.username !== undefined) requireProvenAddress(node, { emailVerified: false });
          await node.rateLimits.take('mail', { name: email });
          const given = { email, password, userId, invite: invite ?? null };
          await registerByMail(node, given, context);
          return reply(202);
        }
        const input = {
          email,
          password,
          username: body.username === undefined ? undefined : acceptedUsername(node, body.username),
          roles: [],
          emailVerified: false,
          userId,
          ...(invite === undefined ? {} : { invite }),
        };
        const user = await withTakenBudget(
          node.rateLimits,
          { address: context.address },
          (payTry) => registerUser(node, { ...input, payTry }, context),
        );
        return reply(201, { user });
      },
    }),
  ];
}
