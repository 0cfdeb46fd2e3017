import { timingSafeEqual } from 'node:crypto';
import type { ClientState } from '../../domain/client/state.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { sha256 } from '../../domain/kernel/sha256.ts';
import type { NodeMemory } from '../../node/node-memory.ts';

/** What a client shows of itself. `clientSecret` is null for one that only names itself. */
export interface PresentedClient {
  readonly clientId: string;
  readonly clientSecret: string | null;
}

/**
 * The client that these credentials prove: a confidential one by one of its live secrets, a public
 * one by its name. Raises `invalid_client`.
 */
export function authenticateClient(
  memory: Pick<NodeMemory, 'client'>,
  { clientId, clientSecret }: PresentedClient,
): ClientState {
  const client = memory.client(clientId);
  if (client?.status !== 'active') throw new LatchkeyError('invalid_client');
  if (client.kind === 'public') {
    if (clientSecret !== null) throw new LatchkeyError('invalid_client');
    return client;
  }
  const presented = Buffer.from(sha256(clientSecret ?? ''));
  const matches = client.secretHashes.some((hash) => timingSafeEqual(Buffer.from(hash), presented));
  if (!matches) throw new LatchkeyError('invalid_client');
  return client;
}

/** Who refreshes: the token endpoint knows its client, `/auth/refresh` at most a name. */
export type RefreshingClient =
  | { readonly endpoint: 'token'; readonly clientId: string }
  | { readonly endpoint: 'refresh'; readonly namedClientId: string | null };

/**
 * Checks that this caller may refresh a session of the client `clientId`. A confidential client
 * must authenticate (RFC 6749 section 6), which it does at the token endpoint. For a public client,
 * or for none (null), the refresh token is enough. At `/auth/refresh` a third party may not, because
 * the answer holds the user. Call it before you write or answer anything about the session. Raises
 * `invalid_client`, `invalid_token`.
 */
export function requireClientOfSession(
  memory: Pick<NodeMemory, 'client'>,
  clientId: string | null,
  caller: RefreshingClient,
): void {
  const client = clientId === null ? null : memory.client(clientId);
  if (client !== null && client?.status !== 'active') {
    throw new LatchkeyError('invalid_token', { detail: 'the client is disabled' });
  }
  if (caller.endpoint === 'token') {
    if (caller.clientId !== clientId) throw ofAnotherClient();
    return;
  }
  if (client?.kind === 'confidential') {
    throw new LatchkeyError('invalid_client', {
      detail: 'a confidential client refreshes at the token endpoint',
    });
  }
  if (client?.firstParty === false) {
    throw new LatchkeyError('invalid_token', { detail: 'of a third party' });
  }
  if (caller.namedClientId !== null && caller.namedClientId !== clientId) throw ofAnotherClient();
}

const ofAnotherClient = () => new LatchkeyError('invalid_token', { detail: 'of another client' });
