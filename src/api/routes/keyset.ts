import { z } from 'zod';
import { revokeIssuerKey } from '../../app/keyset/revoke-issuer-key.ts';
import { rotateIssuerKeys } from '../../app/keyset/rotate-issuer-keys.ts';
import { issuerKeys, representKeyset } from '../../app/keyset/show-keyset.ts';
import { refreshMemory } from '../../app/refresh-memory.ts';
import type { Node } from '../../node/node.ts';
import { segment } from '../http/path-parameters.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { admin } from './admin.ts';
import { issuerKeyListSchema } from './schemas.ts';

const tags = ['Administration'];
const responses = {
  200: { description: 'The issuer keyset, public parts only', schema: issuerKeyListSchema },
};

export function keysetRoutes(node: Node): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/keys',
      summary: 'The issuer keyset with states and times',
      tags,
      auth: admin,
      responses,
      handler: async () => reply(200, { keys: await issuerKeys(node) }),
    }),
    route({
      method: 'post',
      path: '/admin/keys/rotate',
      summary: 'Promote the older pending key',
      description:
        'The active key verifies until its last token has expired. While verifiers that cache ' +
        'the JWKS may not know the pending key, the answer is `conflict`, with the time from ' +
        'which you can rotate. With `now: true` it signs at once, and such verifiers refuse its ' +
        'tokens until they fetch the JWKS again.',
      tags,
      auth: admin,
      limit: perUser('administration'),
      responses,
      errors: ['conflict'],
      body: z.strictObject({ now: z.boolean().optional() }),
      bodyOptional: true,
      idempotent: true,
      handler: async ({ body, idempotencyKey, context }) => {
        const input = { idempotencyKey, now: body.now ?? false };
        const keyset = await rotateIssuerKeys(node, input, context);
        await refreshMemory(node, context.log);
        return reply(200, { keys: representKeyset(keyset) });
      },
    }),
    route({
      method: 'post',
      path: '/admin/keys/{kid}/revoke',
      summary: 'Refuse every token of a key at once',
      description: 'Sessions live on: a refresh gives a token of the key that signs then.',
      tags,
      auth: admin,
      params: z.object({ kid: segment }),
      limit: perUser('administration'),
      responses,
      idempotent: true,
      handler: async ({ params, idempotencyKey, context }) => {
        const input = { kid: params.kid, idempotencyKey };
        const keyset = await revokeIssuerKey(node, input, context);
        await refreshMemory(node, context.log);
        return reply(200, { keys: representKeyset(keyset) });
      },
    }),
  ];
}
