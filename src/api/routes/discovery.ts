import { dpopAlgorithms } from '@latchkey/contract/dpop';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { none } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { serverMetadataSchema } from './schemas.ts';
import { grantTypes } from './token.ts';

const path = '/.well-known/oauth-authorization-server';
const maxAgeSeconds = 300;
const facts = {
  method: 'get',
  tags: ['OAuth'],
  auth: none,
  cors: 'public',
  responses: { 200: { description: 'The metadata', schema: serverMetadataSchema } },
} as const;

export function discoveryRoutes(node: Node): Route[] {
  const answer = () =>
    reply(200, metadata(node.config.tokens.issuer), {
      'cache-control': `public, max-age=${maxAgeSeconds}`,
    });
  return [
    route({
      ...facts,
      path,
      summary: 'What this authorization server can do (RFC 8414)',
      handler: answer,
    }),
    route({
      ...facts,
      path: `${path}/{rest*}`,
      summary: 'The same for an issuer with a path, which stands behind the well-known one',
      errors: ['not_found'],
      handler: ({ raw }) => {
        const { pathname } = new URL(node.config.tokens.issuer);
        if (raw.url?.split('?', 1)[0] === path + pathname) return answer();
        throw new LatchkeyError('not_found');
      },
    }),
  ];
}

const withSecret = ['client_secret_basic', 'client_secret_post'];
const byName = 'none';

/**
 * RFC 8414 section 2: only what works. `response_types_supported` is required and there is no
 * authorization endpoint, so it is an empty list: clients that check for it find it, and none finds
 * a type that would fail.
 */
function metadata(issuer: string) {
  return {
    issuer,
    token_endpoint: `${issuer}/oauth2/token`,
    token_endpoint_auth_methods_supported: [...withSecret, byName],
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    introspection_endpoint: `${issuer}/oauth2/introspect`,
    introspection_endpoint_auth_methods_supported: withSecret,
    revocation_endpoint: `${issuer}/oauth2/revoke`,
    revocation_endpoint_auth_methods_supported: [...withSecret, byName],
    response_types_supported: [],
    grant_types_supported: grantTypes,
    dpop_signing_alg_values_supported: dpopAlgorithms,
    service_documentation: `${issuer}/docs`,
  };
}
