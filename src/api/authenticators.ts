import { firstPartyClientId } from '../verifier/access-token-claims.ts';
import { authenticateClient } from './commands/authenticate-client.ts';
import { acceptedClaims } from './fast-lane.ts';
import type { NodeMemory } from './node-memory.ts';
import type { Authenticators } from './run-route.ts';

export function createAuthenticators(memory: NodeMemory): Authenticators {
  return {
    bearer(token, use) {
      const claims = acceptedClaims(memory.verifyFor(token, use));
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
