import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { RevocationReason } from '../../domain/session/events.ts';
import { provesDpopKey } from '../../domain/session/rotation.ts';
import type { SessionState } from '../../domain/session/state.ts';
import { applyEndedSession } from '../../node/applied-revocations.ts';
import { invalidDpopProof } from '../../node/dpop-proofs.ts';
import type { Node } from '../../node/node.ts';
import { findSession } from '../../tables/session.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { changeSession } from './change-session.ts';

/**
 * Ends one session. Idempotent: one that has ended, or never was, is left as it is. With `ownerId`,
 * somebody else's raises `not_found`; with `jkt`, one that is bound to another key raises
 * `invalid_dpop_proof`.
 */
export async function revokeSession(
  node: Node,
  input: {
    readonly sessionId: string;
    readonly reason: RevocationReason;
    readonly ownerId?: string;
    readonly mustExist?: boolean;
    /** The key that the request has proved, where only its holder may end a bound session. */
    readonly jkt?: string | null;
  },
  by: By,
): Promise<void> {
  const { sessionId, reason, ownerId, mustExist = false, jkt } = input;
  const { readers, handler } = node.cells.of(sessionId);
  await handler.run(sessionId, async () => {
    const record = await findSession(readers, sessionId);
    const isOwners = record !== null && (ownerId === undefined || record.state.userId === ownerId);
    if (mustExist && !isOwners) throw new LatchkeyError('not_found');
    if (!isOwners) return unchanged(() => undefined);
    if (jkt !== undefined && !mayEnd(record.state, jkt))
      throw invalidDpopProof('of another key, or none');
    if (record.state.status === 'ended') applyEndedSession(node.memory, record);
    const change = changeSession(sessionId, record, {
      type: 'RevokeSession',
      now: node.now(),
      reason,
    });
    return append(by, [change], () => undefined);
  });
}

/** A thief of tokens without the key cannot log the owner out either. */
function mayEnd(state: SessionState, jkt: string | null): boolean {
  return state.deviceKey?.kind !== 'dpop' || provesDpopKey(state, jkt);
}
