import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Services } from '../../node/services.ts';
import { changeClient } from '../../tables/change.ts';
import { findClient } from '../../tables/client.ts';
import { metaOf } from '../actor.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { newClientSecret } from './client-secret.ts';
import type { ClientCredentialsIssued } from './register-client.ts';

/**
 * Makes a client's next secret; the one before it stays good until the next rotation. A retry under
 * the same Idempotency-Key rotates nothing and shows no secret. Raises `not_found`, `conflict`
 * (public or disabled), `unavailable`.
 */
export async function rotateClientSecret(
  services: Services,
  { clientId, idempotencyKey }: { clientId: string; idempotencyKey: string | null },
  context: RequestContext,
): Promise<ClientCredentialsIssued> {
  const repeatable = idempotentCommand(context, 'rotate-client-secret', clientId, idempotencyKey);
  const made = newClientSecret();
  return services.handler.run(clientId, async (): Promise<Attempt<ClientCredentialsIssued>> => {
    const client = await findClient(services.readers, clientId);
    if (client === null) throw new LatchkeyError('not_found');
    if (await isRepeated(services.readers, clientId, repeatable)) {
      return { command: null, answer: () => ({ clientId, clientSecret: null }) };
    }
    const change = changeClient(clientId, client, {
      type: 'RotateClientSecret',
      now: services.now(),
      secretHash: made.hash,
    });
    return {
      command: {
        commandId: repeatable.commandId,
        meta: metaOf(context),
        streams: [change.touch],
        rows: change.rows,
      },
      answer: () => ({ clientId, clientSecret: made.secret }),
    };
  });
}
