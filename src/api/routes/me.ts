import { z } from 'zod';
import { changeProfile } from '../../app/user/change-profile.ts';
import { findMe } from '../../app/user/find-users.ts';
import { limits } from '../../domain/kernel/limits.ts';
import type { Node } from '../../node/node.ts';
import { bearer } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { meSchema, text } from './schemas.ts';

const profileText = text(1, limits.profileTextCodePointsMax).nullable().optional();

const profile = z.strictObject({
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
      description: 'A field that you leave out stays as it is; `null` clears it.',
      tags,
      auth: bearer(),
      limit: perUser('profile'),
      body: profile,
      responses: { 200: { description: 'User and session', schema: meSchema } },
      errors: ['forbidden', 'not_found'],
      handler: async ({ body, caller, context }) => {
        await changeProfile(node, { userId: caller.userId, patch: body }, context);
        return reply(200, await findMe(node, caller.userId, caller.sessionId));
      },
    }),
  ];
}
