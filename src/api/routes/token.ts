import { z } from 'zod';
import { issueClientToken } from '../../app/client/issue-client-token.ts';
import { refreshSession } from '../../app/session/refresh-session.ts';
import type { RequestedGrant } from '../../domain/client/grant.ts';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { decodeRefreshToken } from '../../domain/session/refresh-token.ts';
import type { Node } from '../../node/node.ts';
import { client } from '../http/auth.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';
import { type Reply, reply } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type Route, route } from '../http/route.ts';
import { provenKey } from './proven-key.ts';
import { oauthTokensSchema } from './schemas.ts';

const tokenForm = z.object({
  grant_type: z.string('is required'),
  scope: z.string().optional(),
  audience: z.array(z.string()).optional(),
  resource: z.array(z.string()).optional(),
  refresh_token: z.string().register(opaqueTexts).optional(),
});

interface TokenRequest {
  readonly form: z.output<typeof tokenForm>;
  readonly clientId: string;
  readonly idempotencyKey: string | null;
  readonly context: RequestContext;
  readonly raw: Parameters<typeof provenKey>[1];
}

type GrantHandler = (node: Node, request: TokenRequest) => Promise<Reply>;

/** Those that the metadata lists. */
const grants = {
  client_credentials: forItself,
  refresh_token: refreshed,
} as const satisfies Readonly<Record<string, GrantHandler>>;

export const grantTypes: readonly string[] = Object.keys(grants);

export function tokenRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/oauth2/token',
      summary: 'A token for a client (RFC 6749)',
      description:
        '`client_credentials`: a confidential client gets an access token for itself, with `sub` ' +
        'equal to `client_id`, without roles and without a refresh token. `refresh_token`: a ' +
        'client exchanges the refresh token of one of its own sessions; a public client sends ' +
        'its `client_id`. ' +
        'With `scope`, `audience` or `resource` the token is for a part of what may ' +
        'be granted. With a header `DPoP` the token of `client_credentials` is bound to its key.',
      tags: ['OAuth'],
      auth: client,
      accepts: 'form',
      failsAs: 'oauth',
      spends: ['client_token', 'refresh'],
      body: tokenForm,
      responses: { 200: { description: 'The tokens', schema: oauthTokensSchema } },
      errors: [
        'invalid_token',
        'session_ended',
        'session_superseded',
        'use_dpop_nonce',
        'invalid_dpop_proof',
        'unauthorized_client',
        'unsupported_grant_type',
        'invalid_scope',
        'invalid_target',
      ],
      idempotent: true,
      handler: ({ body: form, client: { clientId }, idempotencyKey, context, raw }) =>
        answered(node, { form, clientId, idempotencyKey, context, raw }),
    }),
  ];
}

/** The answer to its grant, counted by grant and outcome. */
async function answered(node: Node, request: TokenRequest): Promise<Reply> {
  const { grant_type } = request.form;
  const { tokenRequests } = node.metrics;
  if (!isGrant(grant_type)) {
    tokenRequests.inc({ grant: 'other', outcome: 'unsupported_grant_type' });
    throw new LatchkeyError('unsupported_grant_type');
  }
  try {
    const answer = await grants[grant_type](node, request);
    tokenRequests.inc({ grant: grant_type, outcome: 'issued' });
    return answer;
  } catch (error) {
    const outcome = error instanceof LatchkeyError ? error.code : 'internal_error';
    tokenRequests.inc({ grant: grant_type, outcome });
    throw error;
  }
}

const isGrant = (text: string): text is keyof typeof grants => Object.hasOwn(grants, text);

async function forItself(node: Node, request: TokenRequest): Promise<Reply> {
  const { form, clientId, context, raw } = request;
  await node.rateLimits.take('client_token', { clientId, address: context.address });
  const key = provenKey(node, raw, context);
  const input = { clientId, requested: requestedBy(form), key };
  const { accessToken, tokenType, expiresInSeconds, scope } = await issueClientToken(
    node,
    input,
    context,
  );
  return reply(200, {
    access_token: accessToken,
    token_type: tokenType,
    expires_in: expiresInSeconds,
    ...scopeMember(scope),
  });
}

async function refreshed(node: Node, request: TokenRequest): Promise<Reply> {
  const { form, clientId, idempotencyKey, context, raw } = request;
  if (form.refresh_token === undefined) throw invalidField('refresh_token', 'is required');
  const refreshToken = decodeRefreshToken(form.refresh_token, node.secrets.refreshMacKeys);
  await node.rateLimits.take('refresh', { address: context.address });
  const input = {
    refreshToken,
    boundCookie: null,
    idempotencyKey,
    client: { endpoint: 'token', clientId },
    requested: requestedBy(form),
    key: provenKey(node, raw, context),
    pay: async () => {
      await node.rateLimits.take('refresh', { sessionId: refreshToken!.sessionId });
    },
  } as const;
  const { body, scope } = await refreshSession(node, input, context);
  return reply(200, {
    access_token: body.access_token,
    token_type: body.token_type,
    expires_in: body.expires_in,
    refresh_token: body.refresh_token,
    ...scopeMember(scope),
  });
}

function requestedBy({ scope, audience, resource }: TokenRequest['form']): RequestedGrant {
  return { scope: scope ?? null, audiences: audience ?? [], resources: resource ?? [] };
}

/** Always said where there is one: RFC 6749 section 5.1 wants it where it is not what was asked. */
const scopeMember = (scope: string) => (scope === '' ? {} : { scope });
