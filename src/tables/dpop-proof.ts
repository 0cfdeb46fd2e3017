import { sha256 } from '../domain/kernel/sha256.ts';
import type { Row } from '../eventlog/command.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { toTimestamp } from './columns.ts';

/** A proof that a login or a refresh was answered for. It is no projection: it goes with its time. */
export interface UsedProof {
  /** Thumbprint of the key that made it. */
  readonly jkt: string;
  readonly jti: string;
  /** Epoch milliseconds: from then on the proof is too old to be accepted. */
  readonly expiresAt: number;
}

export function usedProofRow({ jkt, jti, expiresAt }: UsedProof): Row {
  return { proof_hash: sha256(`${jkt}.${jti}`), expires_at: toTimestamp(expiresAt) };
}

/** What an append that uses a proof again breaks. */
export const usedProofConstraint = 'dpop_proofs_pkey';

/** Records a proof outside an append; false when it was used before. */
export async function recordUsedProof(client: Queryable, proof: UsedProof): Promise<boolean> {
  const { proof_hash, expires_at } = usedProofRow(proof);
  const { rows } = await client.query({
    name: 'record-used-proof',
    text: `insert into latchkey.dpop_proofs (proof_hash, expires_at) values ($1, $2)
      on conflict do nothing returning true`,
    values: [proof_hash, expires_at],
  });
  return rows.length > 0;
}

/**
 * Forgets at most `limit` proofs that no node accepts any more, by the clock of the database;
 * answers how many.
 */
export async function forgetOldProofs(client: Queryable, limit: number): Promise<number> {
  const { rows } = await client.query({
    text: `with old as materialized (
        select proof_hash from latchkey.dpop_proofs where expires_at < clock_timestamp()
        order by expires_at limit $1 for update skip locked),
      deleted as (
        delete from latchkey.dpop_proofs p using old where p.proof_hash = old.proof_hash
        returning 1)
      select count(*)::int as count from deleted`,
    values: [limit],
  });
  return rows[0]!.count as number;
}
