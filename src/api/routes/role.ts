import { z } from 'zod';
import { grantRole } from '../../app/user/grant-role.ts';
import { revokeRole } from '../../app/user/revoke-role.ts';
import type { Node } from '../../node/node.ts';
import { id, segment } from '../http/path-parameters.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { admin } from './admin.ts';

const path = '/admin/users/{id}/roles/{role}';
const params = z.object({ id, role: segment });
const tags = ['Administration'];

export function roleRoutes(node: Node): Route[] {
  return [
    route({
      method: 'put',
      path,
      summary: 'Grant a role',
      description: 'Access tokens carry it from the next refresh on.',
      tags,
      auth: admin,
      params,
      limit: perUser('administration'),
      responses: { 204: { description: 'Granted, also when the user had it before' } },
      handler: async ({ params, context }) => {
        await grantRole(node, { userId: params.id, role: params.role }, context);
        return reply(204);
      },
    }),
    route({
      method: 'delete',
      path,
      summary: 'Revoke a role',
      description: 'Access tokens that carry it are stale at once.',
      tags,
      auth: admin,
      params,
      limit: perUser('administration'),
      responses: { 204: { description: 'Revoked, also when the user did not have it' } },
      errors: ['conflict'],
      handler: async ({ params, context }) => {
        await revokeRole(node, { userId: params.id, role: params.role }, context);
        return reply(204);
      },
    }),
  ];
}
