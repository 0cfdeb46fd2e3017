import type { DeviceKey } from '../../domain/session/device-key.ts';
import { UniqueViolationError } from '../../eventlog/command.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { invalidDpopProof, type ProvenKey } from '../../node/dpop-proofs.ts';
import { recordUsedProof, usedProofConstraint, usedProofRow } from '../../tables/dpop-proof.ts';
import type { Part } from '../append.ts';

/** What binds a session to the proven key. */
export function deviceKeyOf({ jkt, jwk }: ProvenKey): DeviceKey {
  return { kind: 'dpop', jkt, jwk };
}

/** Uses the proof up on every node, with the command: see `onceOnly`. */
export function usedUp(key: ProvenKey | null): Part {
  return key === null ? {} : { rows: { dpop_proofs: [usedProofRow(key)] } };
}

/** The same where nothing is appended. Raises `invalid_dpop_proof` for a proof that was used. */
export async function useUp(readers: Queryable, key: ProvenKey | null): Promise<void> {
  if (key !== null && !(await recordUsedProof(readers, key))) throw usedElsewhere();
}

/** Raises `invalid_dpop_proof` where a command of `work` uses a proof up that was used before. */
export async function onceOnly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isUsed =
      error instanceof UniqueViolationError && error.constraint === usedProofConstraint;
    throw isUsed ? usedElsewhere() : error;
  }
}

const usedElsewhere = () => invalidDpopProof('used on another node');
