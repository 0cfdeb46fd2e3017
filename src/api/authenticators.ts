import { authenticateClient } from '../app/client/authenticate-client.ts';
import { acceptedClaims } from '../node/accepted-claims.ts';
import type { NodeMemory } from '../node/node-memory.ts';
import type { TokenUse } from '../node/token-use.ts';
import type { BearerUse } from './http/auth.ts';
import type { Authenticators } from './http/run-route.ts';

export function createAuthenticators(memory: NodeMemory): Authenticators {
  return {
    bearer(token, use) {
      const claims = acceptedClaims(memory.verifyFor(token, tokenUseOf(use)));
      return {
        userId: claims.sub,
        sessionId: claims.sid,
        roles: claims.roles ?? [],
        lacksNewRoles: memory.lacksNewRoles(claims),
        scopes: claims.scope?.split(' ') ?? [],
      };
    },
    client(credentials) {
      authenticateClient(memory, credentials);
      return { clientId: credentials.clientId };
    },
  };
}

function tokenUseOf(use: BearerUse): TokenUse {
  return use === 'service' ? { kind: use, audience: null } : { kind: use };
}
