import type { ClientState } from '../domain/client/state.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { confidential, json, plain, time } from './columns.ts';
import { StateTable } from './table.ts';

export interface ClientRecord {
  readonly clientId: string;
  readonly version: number;
  readonly state: ClientState;
}

export const clients = new StateTable<ClientState>('clients', 'client_id', {
  status: plain('status'),
  name: plain('name'),
  kind: plain('kind'),
  audiences: plain('audiences'),
  scopes: plain('scopes'),
  firstParty: plain('first_party'),
  secretHashes: confidential(plain('secret_hashes')),
  epoch: plain('epoch'),
  registeredAt: time('registered_at'),
  refreshGraceSeconds: plain('refresh_grace_seconds'),
  signing: plain('signing'),
  claims: json('claims'),
});

const selected = `select ${clients.select('c', 'st')} from latchkey.clients c
  join latchkey.streams st on st.stream_id = c.client_id`;

function clientRecord(row: Record<string, unknown>): ClientRecord {
  const { id, ...record } = clients.record(row);
  return { clientId: id, ...record };
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
  clients.require(client.seal, rows[0]);
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
  return rows.filter((row) => clients.accepts(client.seal, row)).map(clientRecord);
}
