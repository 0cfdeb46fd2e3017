import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { findClient } from '../../tables/client.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { changeClient } from './change-client.ts';

/**
 * Disables a client for ever: its secrets are gone, its tokens are refused, its sessions cannot
 * refresh. Idempotent. Raises `not_found`, `unavailable`.
 */
export async function disableClient(
  node: Node,
  { clientId }: { readonly clientId: string },
  by: By,
): Promise<void> {
  const { readers, handler } = node.cells.home;
  await handler.run(clientId, async () => {
    const client = await findClient(readers, clientId);
    if (client === null) throw new LatchkeyError('not_found');
    const change = changeClient(clientId, client, { type: 'DisableClient', now: node.now() });
    return append(by, [change], () => undefined);
  });
}
