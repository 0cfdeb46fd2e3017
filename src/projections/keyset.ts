import type { EventValue } from '../domain/kernel/event.ts';
import { issuerKeysetId } from '../domain/kernel/ids.ts';
import { initialKeyset, type KeysetState } from '../domain/keyset/state.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { SealedTable } from './sealed-table.ts';

export interface KeysetRecord {
  readonly keysetId: string;
  readonly version: number;
  readonly state: KeysetState;
}

/** One JSONB row per keyset: the folded state itself. */
export function keysetRow(keysetId: string, version: number, state: KeysetState) {
  return { keyset_id: keysetId, version, keys: state.keys as unknown as EventValue };
}

const table = new SealedTable('keysets', ['keyset_id', 'version', 'keys']);

/** The issuer's keyset; version 0 and empty before the first key. */
export async function findIssuerKeyset(client: SealedReaders): Promise<KeysetRecord> {
  const { rows } = await client.query({
    name: 'find-keyset',
    text: `select ${table.select('k', 'st')} from latchkey.keysets k
      join latchkey.streams st on st.stream_id = k.keyset_id where k.keyset_id = $1`,
    values: [issuerKeysetId],
  });
  const row = rows[0];
  if (row !== undefined) table.require(client.seal, row);
  return {
    keysetId: issuerKeysetId,
    version: row === undefined ? 0 : (row.version as number),
    state: row === undefined ? initialKeyset : { keys: row.keys as KeysetState['keys'] },
  };
}
