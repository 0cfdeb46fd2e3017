import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { type ClientRecord, findClient, listClients } from '../../tables/client.ts';
import { toTime } from '../representations.ts';

/** Every client, disabled ones too, oldest first. */
export async function allClients({ cells }: Pick<Node, 'cells'>) {
  return (await listClients(cells.home.readers)).map(representClient);
}

/** Raises `not_found`. */
export async function clientById({ cells }: Pick<Node, 'cells'>, clientId: string) {
  const client = await findClient(cells.home.readers, clientId);
  if (client === null) throw new LatchkeyError('not_found');
  return representClient(client);
}

/** `Client` of the HTTP contract: nothing of a secret, not even its hash. */
function representClient({ clientId, state }: ClientRecord) {
  return {
    client_id: clientId,
    name: state.name,
    kind: state.kind,
    audiences: state.audiences,
    scopes: state.scopes,
    first_party: state.firstParty,
    ...(state.refreshGraceSeconds === null
      ? {}
      : { refresh_grace_seconds: state.refreshGraceSeconds }),
    signing: state.signing,
    ...(state.claims === null ? {} : { claims: state.claims }),
    secrets: state.secretHashes.length,
    created_at: toTime(state.registeredAt),
    disabled: state.status === 'disabled',
  };
}
