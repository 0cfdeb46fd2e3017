import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { findClient } from '../../tables/client.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { changeClient } from './change-client.ts';
import { newClientSecret } from './client-secret.ts';
import type { ClientCredentialsIssued } from './register-client.ts';

/**
 * Makes a client's next secret; the one before it stays good until the next rotation. A retry under
 * the same Idempotency-Key rotates nothing and shows no secret. Raises `not_found`, `conflict`
 * (public or disabled), `unavailable`.
 */
export async function rotateClientSecret(
  node: Node,
  { clientId, idempotencyKey }: { clientId: string; idempotencyKey: string | null },
  by: By,
): Promise<ClientCredentialsIssued> {
  const repeatable = idempotentCommand(by, 'rotate-client-secret', clientId, idempotencyKey);
  const made = newClientSecret();
  const { readers, handler } = node.cells.home;
  return handler.run(clientId, async (): Promise<Attempt<ClientCredentialsIssued>> => {
    const client = await findClient(readers, clientId);
    if (client === null) throw new LatchkeyError('not_found');
    if (await isRepeated(readers, clientId, repeatable)) {
      return unchanged(() => ({ clientId, clientSecret: null }));
    }
    const change = changeClient(clientId, client, {
      type: 'RotateClientSecret',
      now: node.now(),
      secretHash: made.hash,
    });
    return append(
      by,
      [change],
      () => ({ clientId, clientSecret: made.secret }),
      repeatable.commandId,
    );
  });
}
