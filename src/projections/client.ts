import type { ClientState } from '../domain/client/state.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { fromTimestamp, toTimestamp } from './columns.ts';
import { SealedTable } from './sealed-table.ts';

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

const table = new SealedTable('clients', [
  'client_id',
  'version',
  'status',
  'name',
  'kind',
  'audiences',
  'scopes',
  'first_party',
  'secret_hashes',
  'epoch',
  'registered_at',
]);

const selected = `select ${table.select('c', 'st')} from latchkey.clients c
  join latchkey.streams st on st.stream_id = c.client_id`;

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
  client: SealedReaders,
  clientId: string,
): Promise<ClientRecord | null> {
  const { rows } = await client.query({
    name: 'find-client',
    text: `${selected} where c.client_id = $1`,
    values: [clientId],
  });
  if (rows[0] === undefined) return null;
  table.require(client.seal, rows[0]);
  return clientRecord(rows[0]);
}

/**
 * Every client, oldest first: a node holds them all in memory. One that is not to be trusted is left
 * out.
 */
export async function listClients(client: SealedReaders): Promise<ClientRecord[]> {
  const { rows } = await client.query({
    name: 'list-clients',
    text: `${selected} order by c.registered_at, c.client_id`,
  });
  return rows.filter((row) => table.accepts(client.seal, row)).map(clientRecord);
}
