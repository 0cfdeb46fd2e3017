import type { Command } from '../eventlog/command.ts';
import { type RevocationTarget, revocationOfSession } from '../tables/revocation.ts';
import type { SessionRecord } from '../tables/session.ts';
import type { NodeMemory } from './node-memory.ts';

/**
 * The node that answers a logout refuses its tokens before it answers; the others learn of it by
 * their poll.
 */
export function applyRevocations(memory: NodeMemory, command: Command): void {
  for (const row of command.rows.revocations ?? []) {
    memory.revoke({
      targetKind: row.target_kind as RevocationTarget,
      target: row.target,
      epoch: row.epoch,
      until: Date.parse(row.until),
    });
  }
}

/**
 * Applies a logout that another node has committed and this node's poll may not have read yet. So
 * after a logout that is repeated here, this node refuses the session's tokens too.
 */
export function applyEndedSession(memory: NodeMemory, { sessionId, state }: SessionRecord): void {
  if (state.endedAt === null) return;
  const revocation = revocationOfSession(sessionId, state, {
    type: 'SessionRevoked',
    data: { at: state.endedAt, reason: 'logout' },
  });
  if (revocation !== null && revocation.until > Date.now()) memory.revoke(revocation);
}
