import { authenticateClient } from '../app/client/authenticate-client.ts';
import { acceptedClaims } from '../node/accepted-claims.ts';
import { administratorsDemand } from '../node/administrators-demand.ts';
import { claimsOfBound } from '../node/bound-token.ts';
import type { Node } from '../node/node.ts';
import type { TokenUse } from '../node/token-use.ts';
import { verifiedFor } from '../node/verified-for.ts';
import type { BearerUse } from './http/auth.ts';
import type { Authenticators } from './http/run-route.ts';

export function createAuthenticators(
  node: Pick<Node, 'memory' | 'sessionKeys' | 'proofs' | 'config'>,
): Authenticators {
  const { memory } = node;
  const { authentication, tokens } = node.config;
  const { issuer } = tokens;
  const lately = { maxAgeSeconds: authentication.recentSeconds };
  const ofAdministrators = administratorsDemand(node.config);
  return {
    async bearer({ scheme, text: token }, bearerUse, { path, ...request }) {
      const use = tokenUseOf(bearerUse);
      const bound =
        scheme === 'DPoP'
          ? await claimsOfBound(node, { token, use, request: { ...request, uri: issuer + path } })
          : null;
      const claims = bound?.claims ?? acceptedClaims(await verifiedFor(node, token, use));
      return {
        userId: claims.sub,
        sessionId: claims.sid,
        roles: claims.roles ?? [],
        lacksNewRoles: memory.lacksNewRoles(claims),
        scopes: claims.scope?.split(' ') ?? [],
        authentication: claims,
        nextNonce: bound?.key.nextNonce,
      };
    },
    client(credentials) {
      authenticateClient(memory, credentials);
      return { clientId: credentials.clientId };
    },
    demandOf: ({ use, recent }) =>
      use === 'administration' ? ofAdministrators : recent ? lately : {},
  };
}

function tokenUseOf(use: BearerUse): TokenUse {
  return use === 'service' ? { kind: use, audience: null } : { kind: use };
}
