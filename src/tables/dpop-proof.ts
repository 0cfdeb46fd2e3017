import { sha256 } from '../domain/kernel/sha256.ts';
import type { Row } from '../eventlog/command.ts';
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
