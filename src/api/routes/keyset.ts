import { revokeIssuerKey } from '../../app/keyset/revoke-issuer-key.ts';
import { rotateIssuerKeys } from '../../app/keyset/rotate-issuer-keys.ts';
import { issuerKeys, representKeyset } from '../../app/keyset/show-keyset.ts';
import { refreshMemory } from '../../app/refresh-memory.ts';
import type { Node } from '../../node/node.ts';
import { idempotencyKey } from '../http/idempotency-key.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { issuerKeyListSchema } from './schemas.ts';

const tags = ['Administration'];
const responses = { 200: { description: 'The issuer keyset', schema: issuerKeyListSchema } };

export function keysetRoutes(node: Node): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/keys',
      summary: 'The issuer keyset with states and times',
      tags,
      auth: 'admin',
      responses,
      handler: async () => reply(200, { keys: await issuerKeys(node) }),
    }),
    route({
      method: 'post',
      path: '/admin/keys/rotate',
      summary: 'Promote the pending key now',
      description: 'The active key verifies until its last token has expired.',
      tags,
      auth: 'admin',
      spends: ['administration'],
      responses,
      errors: ['conflict', 'invalid_request'],
      idempotent: true,
      handler: async ({ headers, context }) => {
        const input = { idempotencyKey: idempotencyKey(headers) };
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
      auth: 'admin',
      spends: ['administration'],
      responses,
      errors: ['not_found'],
      idempotent: true,
      handler: async ({ params, headers, context }) => {
        const input = { kid: params.kid!, idempotencyKey: idempotencyKey(headers) };
        const keyset = await revokeIssuerKey(node, input, context);
        await refreshMemory(node, context.log);
        return reply(200, { keys: representKeyset(keyset) });
      },
    }),
  ];
}
