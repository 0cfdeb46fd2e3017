import { issuerKeysetId } from '../domain/kernel/ids.ts';
import { initialKeyset, type KeysetState } from '../domain/keyset/state.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { json } from './columns.ts';
import { StateTable } from './table.ts';

export interface KeysetRecord {
  readonly keysetId: string;
  readonly version: number;
  readonly state: KeysetState;
}

/** One JSONB row per keyset: the folded state itself. */
export const keysets = new StateTable<KeysetState>('keysets', 'keyset_id', { keys: json('keys') });

/** The issuer's keyset; version 0 and empty before the first key. */
export async function findIssuerKeyset(client: SealedReaders): Promise<KeysetRecord> {
  const { rows } = await client.query({
    name: 'find-keyset',
    text: `select ${keysets.select('k', 'st')} from latchkey.keysets k
      join latchkey.streams st on st.stream_id = k.keyset_id where k.keyset_id = $1`,
    values: [issuerKeysetId],
  });
  const [row] = rows;
  if (row === undefined) return { keysetId: issuerKeysetId, version: 0, state: initialKeyset };
  keysets.require(client.seal, row);
  const { id, ...record } = keysets.record(row);
  return { keysetId: id, ...record };
}

/**
 * Deletes the private parts of keys that the keyset no longer has. A key and its secret are written
 * in one transaction, so a secret without a key is one that was removed.
 */
export async function deleteRemovedSecrets(readers: Queryable, keysetId: string): Promise<void> {
  await readers.query({
    name: 'delete-removed-secrets',
    text: `delete from latchkey.key_secrets s where s.purpose = 'issuer-signing' and not exists (
      select from latchkey.keysets k, jsonb_array_elements(k.keys) as key
      where k.keyset_id = $1 and key ->> 'kid' = s.kid)`,
    values: [keysetId],
  });
}
