import { z } from 'zod';
import { createInvite } from '../../app/invite/create-invite.ts';
import { toTime } from '../../app/representations.ts';
import type { Node } from '../../node/node.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { admin } from './admin.ts';
import { inviteSchema } from './schemas.ts';

const day = 86_400;
const lifeSecondsDefault = 7 * day;
const lifeSecondsMax = 365 * day;

export function inviteRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/admin/invites',
      summary: 'Make an invite for one registration',
      description:
        'Where `REGISTRATION` is `invite`, a user needs one to register. It is good for a week ' +
        'unless you say otherwise.',
      tags: ['Administration'],
      auth: admin,
      limit: perUser('administration'),
      body: z.strictObject({ expires_in: z.int().min(1).max(lifeSecondsMax).optional() }),
      bodyOptional: true,
      responses: {
        201: { description: 'The invite, whose code is shown this once', schema: inviteSchema },
      },
      errors: ['conflict'],
      idempotent: true,
      handler: async ({ body, idempotencyKey, context }) => {
        const { code, expiresAt } = await createInvite(
          node,
          {
            expiresInSeconds: body.expires_in ?? lifeSecondsDefault,
            idempotencyKey,
          },
          context,
        );
        return reply(201, {
          ...(code === null ? {} : { invite: code }),
          expires_at: toTime(expiresAt),
        });
      },
    }),
  ];
}
