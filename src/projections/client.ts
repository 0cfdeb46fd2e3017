import type { ClientState } from '../domain/client/state.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { fromTimestamp, toTimestamp } from './columns.ts';

export interface ClientRecord {
  readonly clientId: string;
  readonly version: number;
  readonly state: ClientState;
}

/** The row is the folded state; `clientRecord` reads it back. */
export function clientRow(clientId: string, version: number, state: ClientState) {
  return {
    client_id: clientId,
    version,
    status: state.status,
    name: state.name,
    kind: state.kind,
    audiences: state.audiences,
    scopes: state.scopes,
    first_party: state.firstParty,
    secret_hashes: state.secretHashes,
    epoch: state.epoch,
    registered_at: toTimestamp(state.registeredAt),
  };
}

const columns = `client_id, version, status, name, kind, audiences, scopes, first_party, secret_hashes, epoch, registered_at`;

function clientRecord(row: Record<string, unknown>): ClientRecord {
  return {
    clientId: row.client_id as string,
    version: row.version as number,
    state: {
      status: row.status as ClientState['status'],
      name: row.name as string,
      kind: row.kind as ClientState['kind'],
      audiences: row.audiences as string[],
      scopes: row.scopes as string[],
      firstParty: row.first_party as boolean,
      secretHashes: row.secret_hashes as string[],
      epoch: row.epoch as number,
      registeredAt: fromTimestamp(row.registered_at),
    },
  };
}

export async function findClient(
  client: Queryable,
  clientId: string,
): Promise<ClientRecord | null> {
  const { rows } = await client.query({
    name: 'find-client',
    text: `select ${columns} from latchkey.clients where client_id = $1`,
    values: [clientId],
  });
  return rows[0] === undefined ? null : clientRecord(rows[0]);
}

/** Every client, oldest first: a node holds them all in memory. */
export async function listClients(client: Queryable): Promise<ClientRecord[]> {
  const { rows } = await client.query({
    name: 'list-clients',
    text: `select ${columns} from latchkey.clients order by registered_at, client_id`,
  });
  return rows.map(clientRecord);
}
