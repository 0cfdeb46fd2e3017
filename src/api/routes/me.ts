import { z } from 'zod';
import { changeProfile } from '../../app/user/change-profile.ts';
import { eraseSelf } from '../../app/user/erase-self.ts';
import { findMe } from '../../app/user/find-users.ts';
import { acceptedUsername } from '../../app/user/username.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { bearer } from '../http/auth.ts';
import { clearBoundCookie, clearDeviceCookie, clearRefreshCookie } from '../http/cookies.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { meSchema, text, usernameText } from './schemas.ts';
import { optionalProof, proofBody } from './second-factor.ts';

const profileText = text(1, limits.profileTextCodePointsMax).nullable().optional();

const profile = z.strictObject({
  username: usernameText.optional(),
  name: profileText,
  phone_number: profileText,
  picture: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .max(limits.pictureUrlCharactersMax)
    .nullable()
    .optional(),
});

const tags = ['Account'];

export function meRoutes(node: Node): Route[] {
  return [
    route({
      method: 'get',
      path: '/auth/me',
      summary: 'The caller and the session of the token',
      description: 'A third-party client needs the scope `profile`.',
      tags,
      auth: bearer({ use: 'profile' }),
      responses: { 200: { description: 'User and session', schema: meSchema } },
      handler: async ({ caller }) =>
        reply(200, await findMe(node, caller.userId, caller.sessionId)),
    }),
    route({
      method: 'patch',
      path: '/auth/me',
      summary: 'Change the profile of the caller',
      description:
        'A field that you leave out stays as it is; `null` clears it. A `username` can be ' +
        'changed and not cleared; it needs `USERNAMES=on` and, where Latchkey sends mail, an ' +
        'address that is proven.',
      tags,
      auth: bearer(),
      limit: perUser('profile'),
      body: profile,
      responses: { 200: { description: 'User and session', schema: meSchema } },
      errors: ['conflict', 'forbidden', 'not_found'],
      handler: async ({ body, caller, context }) => {
        const { username, ...rest } = body;
        const named = username === undefined ? {} : { username: acceptedUsername(node, username) };
        const patch = { ...rest, ...named };
        const change = { userId: caller.userId, patch, chosenBy: 'user' } as const;
        await changeProfile(node, change, context);
        return reply(200, await findMe(node, caller.userId, caller.sessionId));
      },
    }),
    erasure(node),
  ];
}

function erasure(node: Node): Route {
  return route({
    method: 'delete',
    path: '/auth/me',
    summary: 'Erase the caller',
    description:
      'Every session ends, and the address is free again. Nobody can undo it. The user must have ' +
      'logged in or stepped up within `RECENT_AUTHENTICATION_SECONDS`. One who has neither a ' +
      'password nor a second factor sends no body. After an answer that was lost, a repeat ' +
      'answers 401 `invalid_token`.',
    tags,
    auth: bearer({ recent: true }),
    credential: 'access token of a recent login or step-up, and the password or second factor',
    floor: true,
    limit: perUser('password'),
    spends: ['login_failure'],
    body: proofBody,
    bodyOptional: true,
    responses: { 204: { description: 'Erased; every session has ended' } },
    errors: ['insufficient_user_authentication', 'invalid_credentials', 'conflict'],
    handler: async ({ body, caller, context }) => {
      const { userId, sessionId } = caller;
      const proof = optionalProof(body ?? {});
      const payers = { address: context.address, name: userId };
      await withFailureBudget(node.rateLimits, payers, (payTry) =>
        eraseSelf(node, { userId, sessionId, proof, payTry }, context),
      );
      const cookies = [clearRefreshCookie(), clearBoundCookie(), clearDeviceCookie()];
      return reply(204, undefined, { 'set-cookie': cookies });
    },
  });
}
