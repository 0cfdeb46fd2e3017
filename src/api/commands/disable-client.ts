import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { newId } from '../../platform/new-id.ts';
import { changeClient } from '../../projections/change.ts';
import { findClient } from '../../projections/client.ts';
import type { RequestContext } from '../request-context.ts';
import type { Services } from '../services.ts';
import { metaOf } from './actor.ts';

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
