import { z } from 'zod';
import { introspect } from '../../app/session/introspect.ts';
import { revokeToken } from '../../app/session/revoke-token.ts';
import type { Node } from '../../node/node.ts';
import { client } from '../http/auth.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { introspection } from '../lanes/introspection.ts';
import { introspectionSchema } from './schemas.ts';

const tags = ['OAuth'];
/** The hint (RFC 7009 section 2.1) is not needed: a token tells itself what it is. */
const tokenForm = z.object({
  token: z.string('is required').register(opaqueTexts),
  token_type_hint: z.string().optional(),
});

export function oauthRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/oauth2/introspect',
      summary: 'What a token says, if it is good now (RFC 7662)',
      description:
        'A token is active only for a confidential client that it is meant for, or for one with ' +
        'the scope `introspect.all`. For a refresh token the answer is `{active: false}`.',
      tags,
      auth: client,
      credential: 'confidential client',
      accepts: 'form',
      failsAs: 'oauth',
      body: tokenForm,
      responses: { 200: { description: 'The claims, or inactive', schema: introspectionSchema } },
      fast: introspection(node),
      handler: async ({ body, client: { clientId } }) =>
        reply(200, await introspect(node, node.memory.client(clientId)!, body.token)),
    }),
    route({
      method: 'post',
      path: '/oauth2/revoke',
      summary: "End the session of one of the client's tokens (RFC 7009)",
      description:
        'For an unknown token, or one of another client, the answer is 200 too and nothing ' +
        'changes. A public client may ask too: it sends its `client_id` in the form.',
      tags,
      auth: client,
      accepts: 'form',
      failsAs: 'oauth',
      spends: ['session_end'],
      body: tokenForm,
      responses: { 200: { description: 'The token is good no more, if it was of this client' } },
      handler: async ({ body, client: { clientId }, context }) => {
        await revokeToken(node, { token: body.token, clientId }, context);
        return reply(200);
      },
    }),
  ];
}
