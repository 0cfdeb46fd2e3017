import { createHash, timingSafeEqual } from 'node:crypto';
import type { ClientState } from '../../domain/client/state.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { ClientCredentials } from '../client-credentials.ts';
import type { NodeMemory } from '../node-memory.ts';

/**
 * The client that these credentials prove: a confidential one by one of its live secrets, a public
 * one by its name. Raises `invalid_client`.
 */
export function authenticateClient(
  memory: Pick<NodeMemory, 'client'>,
  { clientId, clientSecret }: ClientCredentials,
): ClientState {
  const client = memory.client(clientId);
  if (client?.status !== 'active') throw new LatchkeyError('invalid_client');
  if (client.kind === 'public') {
    if (clientSecret !== null) throw new LatchkeyError('invalid_client');
    return client;
  }
  const presented = createHash('sha256')
    .update(clientSecret ?? '')
    .digest();
  const matches = client.secretHashes.some((hash) =>
    timingSafeEqual(Buffer.from(hash, 'base64url'), presented),
  );
  if (!matches) throw new LatchkeyError('invalid_client');
  return client;
}
