import { z } from 'zod';
import { findSessionKey, listSessionKeys } from '../../app/session/find-session-keys.ts';
import { requireAuthentication } from '../../domain/kernel/authentication-demand.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole } from '../../domain/user/roles.ts';
import { administratorsDemand } from '../../node/administrators-demand.ts';
import type { Node } from '../../node/node.ts';
import { bearer, none } from '../http/auth.ts';
import { id, segment } from '../http/path-parameters.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { jwkSchema, jwkSetSchema } from './schemas.ts';

const tags = ['Verification'];
/** How long a session that has ended may still be verified by who has just asked for its key. */
const maxAgeSeconds = 60;

export function sessionKeyRoutes(node: Node): Route[] {
  return [
    route({
      method: 'get',
      path: '/keys/{kid}',
      summary: 'The public key of one session, while it lives',
      description:
        'For verifiers that meet an unknown `kid`. The key signs only for the session and the ' +
        'user that its members `sid` and `sub` name: compare them with the claims ' +
        '(docs/session-keys.md). For an ended session and an unknown `kid` the answer ' +
        'is the same 404. The keys of the issuer are in the JWKS only.',
      tags,
      auth: none,
      cors: 'public',
      params: z.object({ kid: segment }),
      spends: ['key_lookup'],
      responses: { 200: { description: 'The public key (RFC 7517)', schema: jwkSchema } },
      errors: ['not_found'],
      handler: async ({ params, context: { address } }) => {
        const pay = async () => {
          await node.rateLimits.take('key_lookup', { address });
        };
        const jwk = await findSessionKey(node, params.kid, pay);
        return reply(200, jwk, { 'cache-control': `public, max-age=${maxAgeSeconds}` });
      },
    }),
    route({
      method: 'get',
      path: '/users/{id}/jwks.json',
      summary: "The public keys of a user's live sessions, newest first",
      description: 'Sessions whose tokens the issuer signs have no key here.',
      tags,
      auth: bearer(),
      credential: 'access token of the user, or of an administrator',
      params: z.object({ id }),
      responses: { 200: { description: 'The keys', schema: jwkSetSchema } },
      errors: ['forbidden', 'not_found', 'insufficient_user_authentication'],
      handler: async ({ params, caller }) => {
        if (caller.userId !== params.id) {
          if (!caller.roles.includes(adminRole)) {
            throw new LatchkeyError('forbidden', { detail: "another user's keys" });
          }
          const demand = administratorsDemand(node.config);
          requireAuthentication(caller.authentication, demand, Date.now());
        }
        return reply(200, { keys: await listSessionKeys(node, params.id) });
      },
    }),
  ];
}
