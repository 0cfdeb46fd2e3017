import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { findClient } from '../../tables/client.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { changeClient } from './change-client.ts';

/** A change of a client that needs nothing but its id, and may be repeated. */
export interface ClientSwitch {
  readonly clientId: string;
  readonly idempotencyKey: string | null;
}

/** Raises `not_found`, `unavailable`, and what the command raises. */
export async function switchClient(
  { cells, now }: Pick<Node, 'cells' | 'now'>,
  { clientId, idempotencyKey }: ClientSwitch,
  type: 'EndOlderSecret' | 'RaiseClientEpoch',
  by: By,
): Promise<void> {
  const repeatable = idempotentCommand(by, type, clientId, idempotencyKey);
  const { readers, handler } = cells.home;
  await handler.run(clientId, async () => {
    const client = await findClient(readers, clientId);
    if (client === null) throw new LatchkeyError('not_found');
    if (await isRepeated(readers, clientId, repeatable)) return unchanged(() => undefined);
    const change = changeClient(clientId, client, { type, now: now() });
    return append(by, [change], () => undefined, repeatable.commandId);
  });
}
