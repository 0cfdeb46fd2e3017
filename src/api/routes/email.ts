import { z } from 'zod';
import { confirmEmailChange } from '../../app/user/confirm-email-change.ts';
import { requestEmailChange } from '../../app/user/request-email-change.ts';
import { verifyEmail } from '../../app/user/verify-email.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { bearer, none } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { linkRequestRoute } from './link-request.ts';
import { byAddress } from './payers.ts';
import { credential, text } from './schemas.ts';

/** Proofs and changes of a user's e-mail address. */
export function emailRoutes(node: Node): Route[] {
  return [
    verify(node),
    linkRequestRoute(node, {
      path: '/auth/verify-email/request',
      summary: 'Ask for another link that proves an address',
      description: 'The answer is the same for an address that no user has, or has proven.',
      tags: ['Account'],
      purpose: 'verification',
    }),
    change(node),
    confirm(node),
  ];
}

function verify(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/verify-email',
    summary: 'Prove an address by the link in the mail',
    description:
      'It logs nobody in. The first proof ends every session from before, and the password unless ' +
      'you repeat it here.',
    tags: ['Account'],
    auth: none,
    credential: 'the token of the link',
    floor: true,
    limit: { budget: 'mail_link', by: byAddress },
    body: z.strictObject({ token: credential, password: credential.optional() }),
    responses: { 204: { description: 'The address is proven' } },
    errors: ['invalid_token'],
    handler: async ({ body, context }) => {
      const { token, password = null } = body;
      await verifyEmail(node, { token, password }, context);
      return reply(204);
    },
  });
}

function change(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/email/change',
    summary: 'Ask for a link that changes the address of the caller',
    description:
      'The link goes to the new address. The answer is the same where another user has it. Leave ' +
      'the password out within `RECENT_AUTHENTICATION_SECONDS` of a login or a step-up.',
    tags: ['Account'],
    auth: bearer(),
    credential: 'access token, and the password unless the login or a step-up is recent',
    floor: 'always',
    limit: perUser('password'),
    spends: ['mail', 'login_failure'],
    body: z.strictObject({
      new_email: text(1, limits.loginStringCodePointsMax),
      password: credential.optional(),
    }),
    responses: { 202: { description: 'A mail is on its way to the new address' } },
    errors: ['invalid_credentials', 'conflict', 'forbidden'],
    handler: async ({ body, caller, context }) => {
      const { address } = context;
      await node.rateLimits.take('mail', { address, name: body.new_email });
      const { userId, sessionId, authentication } = caller;
      const input = {
        userId,
        sessionId,
        authentication,
        newEmail: body.new_email,
        password: body.password ?? null,
      };
      await withFailureBudget(node.rateLimits, { address, name: userId }, (payTry) =>
        requestEmailChange(node, { ...input, payTry }, context),
      );
      return reply(202);
    },
  });
}

function confirm(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/email/confirm',
    summary: 'Change the address of the caller by the link in the mail',
    description: 'Every other session of the user ends. This one lives on.',
    tags: ['Account'],
    auth: bearer(),
    credential: 'access token and the token of the link',
    limit: { budget: 'mail_link', by: byAddress },
    body: z.strictObject({ token: credential }),
    responses: { 204: { description: 'Changed; every other session has ended' } },
    errors: ['invalid_credentials', 'conflict'],
    handler: async ({ body, caller, context }) => {
      const { userId, sessionId } = caller;
      await confirmEmailChange(node, { userId, sessionId, token: body.token }, context);
      return reply(204);
    },
  });
}
