import type { EventValue } from '../domain/kernel/event.ts';
import { issuerKeysetId } from '../domain/kernel/ids.ts';
import { initialKeyset, type KeysetState } from '../domain/keyset/state.ts';
import type { Queryable } from '../eventlog/queryable.ts';

export interface KeysetRecord {
  readonly keysetId: string;
  readonly version: number;
  readonly state: KeysetState;
}

/** One JSONB row per keyset: the folded state itself. */
export function keysetRow(keysetId: string, version: number, state: KeysetState) {
  return { keyset_id: keysetId, version, keys: state.keys as unknown as EventValue };
}

/** The issuer's keyset; version 0 and empty before the first key. */
export async function findIssuerKeyset(client: Queryable): Promise<KeysetRecord> {
  const { rows } = await client.query({
    name: 'find-keyset',
    text: 'select version, keys from latchkey.keysets where keyset_id = $1',
    values: [issuerKeysetId],
  });
  const row = rows[0];
  return {
    keysetId: issuerKeysetId,
    version: row === undefined ? 0 : (row.version as number),
    state: row === undefined ? initialKeyset : { keys: row.keys as KeysetState['keys'] },
  };
}
