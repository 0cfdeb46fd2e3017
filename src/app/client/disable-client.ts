import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Services } from '../../node/services.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeClient } from '../../tables/change.ts';
import { findClient } from '../../tables/client.ts';
import { metaOf } from '../actor.ts';

/**
 * Disables a client for ever: its secrets are gone, its tokens are refused, its sessions cannot
 * refresh. Idempotent. Raises `not_found`, `unavailable`.
 */
export async function disableClient(
  services: Services,
  clientId: string,
  context: RequestContext,
): Promise<void> {
  await services.handler.run(clientId, async () => {
    const client = await findClient(services.readers, clientId);
    if (client === null) throw new LatchkeyError('not_found');
    const change = changeClient(clientId, client, { type: 'DisableClient', now: services.now() });
    return {
      command:
        change.events.length === 0
          ? null
          : {
              commandId: newId(),
              meta: metaOf(context),
              streams: [change.touch],
              rows: change.rows,
            },
      answer: () => undefined,
    };
  });
}
