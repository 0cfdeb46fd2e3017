import { z } from 'zod';
import { disableClient } from '../../app/client/disable-client.ts';
import { endClientTokens } from '../../app/client/end-client-tokens.ts';
import { endOlderSecret } from '../../app/client/end-older-secret.ts';
import { allClients, clientById } from '../../app/client/find-clients.ts';
import { type ClientCredentialsIssued, registerClient } from '../../app/client/register-client.ts';
import { rotateClientSecret } from '../../app/client/rotate-client-secret.ts';
import { refreshMemory } from '../../app/refresh-memory.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { signings } from '../../domain/session/session-key.ts';
import type { Node } from '../../node/node.ts';
import { id } from '../http/path-parameters.ts';
import { type Reply, reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { admin } from './admin.ts';
import {
  clientClaimsSchema,
  clientListSchema,
  clientSchema,
  clientSecretSchema,
  text,
} from './schemas.ts';

const newClient = z.strictObject({
  name: text(1, limits.profileTextCodePointsMax),
  kind: z.enum(['confidential', 'public']).optional(),
  audiences: z.array(z.string()).max(limits.audiencesPerClientMax).optional(),
  scopes: z.array(z.string()).max(limits.scopesPerClientMax).optional(),
  first_party: z.boolean().optional(),
  refresh_grace_seconds: z.int().min(0).max(limits.refreshGraceSecondsMax).optional(),
  signing: z.enum(signings).optional(),
  claims: clientClaimsSchema.optional(),
});

const tags = ['Administration'];
const issued = {
  description: 'The client and its secret, which is shown this once',
  schema: clientSecretSchema,
};

export function clientRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/admin/clients',
      summary: 'Register a client',
      tags,
      auth: admin,
      limit: perUser('administration'),
      body: newClient,
      responses: { 201: issued },
      errors: ['conflict'],
      idempotent: true,
      handler: async ({ body, idempotencyKey, context }) => {
        const client = await registerClient(
          node,
          {
            name: body.name,
            kind: body.kind ?? 'confidential',
            audiences: body.audiences ?? [node.config.tokens.defaultAudience],
            scopes: body.scopes ?? [],
            firstParty: body.first_party ?? false,
            refreshGraceSeconds: body.refresh_grace_seconds ?? null,
            signing: body.signing ?? null,
            claims: body.claims ?? null,
            idempotencyKey,
          },
          context,
        );
        await refreshMemory(node, context.log);
        return credentialsReply(client);
      },
    }),
    route({
      method: 'get',
      path: '/admin/clients',
      summary: 'All clients, oldest first',
      tags,
      auth: admin,
      responses: { 200: { description: 'The clients', schema: clientListSchema } },
      handler: async () => reply(200, { clients: await allClients(node) }),
    }),
    ...oneClient(node),
    ...clientCredentialRoutes(node),
  ];
}

function oneClient(node: Node): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/clients/{id}',
      summary: 'One client',
      tags,
      auth: admin,
      params: z.object({ id }),
      responses: { 200: { description: 'The client', schema: clientSchema } },
      handler: async ({ params }) => reply(200, await clientById(node, params.id)),
    }),
    route({
      method: 'delete',
      path: '/admin/clients/{id}',
      summary: 'Disable a client for ever',
      description: 'Its tokens are refused and its sessions cannot refresh. Its record stays.',
      tags,
      auth: admin,
      params: z.object({ id }),
      limit: perUser('administration'),
      responses: { 204: { description: 'Disabled, also when it had been before' } },
      handler: async ({ params, context }) => {
        await disableClient(node, { clientId: params.id }, context);
        await refreshMemory(node, context.log);
        return reply(204);
      },
    }),
  ];
}

function clientCredentialRoutes(node: Node): Route[] {
  const facts = {
    tags,
    auth: admin,
    params: z.object({ id }),
    limit: perUser('administration'),
    errors: ['conflict'],
    idempotent: true,
  } as const;
  return [
    route({
      method: 'post',
      path: '/admin/clients/{id}/secret',
      summary: "Make a client's next secret",
      description: 'The secret before it stays good until the next rotation, or until you end it.',
      ...facts,
      responses: { 201: issued },
      handler: async ({ params, idempotencyKey, context }) => {
        const input = { clientId: params.id, idempotencyKey };
        const client = await rotateClientSecret(node, input, context);
        await refreshMemory(node, context.log);
        return credentialsReply(client);
      },
    }),
    route({
      method: 'delete',
      path: '/admin/clients/{id}/secret',
      summary: 'End the older of two secrets of a client',
      description:
        'The newest secret stays good. Tokens that the client got with the older one stay good ' +
        'too, until you end them.',
      ...facts,
      responses: { 204: { description: 'One secret is good, also when there was one before' } },
      handler: async ({ params, idempotencyKey, context }) => {
        await endOlderSecret(node, { clientId: params.id, idempotencyKey }, context);
        await refreshMemory(node, context.log);
        return reply(204);
      },
    }),
    route({
      method: 'delete',
      path: '/admin/clients/{id}/tokens',
      summary: 'End every access token of a client',
      description:
        'Its own tokens, and those of the sessions of its users: the client asks for a new one, ' +
        'the sessions live on and refresh. Its secrets stay good.',
      ...facts,
      responses: { 204: { description: 'Every token from before is refused' } },
      handler: async ({ params, idempotencyKey, context }) => {
        await endClientTokens(node, { clientId: params.id, idempotencyKey }, context);
        await refreshMemory(node, context.log);
        return reply(204);
      },
    }),
  ];
}

function credentialsReply({ clientId, clientSecret }: ClientCredentialsIssued): Reply {
  return reply(201, {
    client_id: clientId,
    ...(clientSecret === null ? {} : { client_secret: clientSecret }),
  });
}
