import { firstPartyClientId } from '@latchkey/contract/access-token-claims';
import { authenticateClient } from '../app/client/authenticate-client.ts';
import { acceptedClaims } from '../node/accepted-claims.ts';
import type { NodeMemory } from '../node/node-memory.ts';
import type { TokenUse } from '../node/token-use.ts';
import type { BearerUse } from './http/route.ts';
import type { Authenticators } from './http/run-route.ts';

export function createAuthenticators(memory: NodeMemory): Authenticators {
  return {
    bearer(token, use) {
      const claims = acceptedClaims(memory.verifyFor(token, tokenUseOf(use)));
      return {
        userId: claims.sub,
        sessionId: claims.sid,
        clientId: claims.client_id === firstPartyClientId ? null : claims.client_id,
        roles: claims.roles ?? [],
        lacksNewRoles: memory.lacksNewRoles(claims),
        scopes: claims.scope?.split(' ') ?? [],
        authenticatedAt: claims.auth_time * 1000,
      };
    },
    client(credentials) {
      const client = authenticateClient(memory, credentials);
      return {
        clientId: credentials.clientId,
        scopes: client.scopes,
        audiences: client.audiences,
      };
    },
  };
}

function tokenUseOf(use: BearerUse): TokenUse {
  return use === 'service' ? { kind: use, audience: null } : { kind: use };
}
