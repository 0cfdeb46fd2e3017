import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { RevocationReason } from '../../domain/session/events.ts';
import { applyEndedSession } from '../../node/applied-revocations.ts';
import type { Node } from '../../node/node.ts';
import { findSession } from '../../tables/session.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { changeSession } from './change-session.ts';

/**
 * Ends one session. Idempotent: one that has ended, or never was, is left as it is. With `ownerId`,
 * somebody else's raises `not_found`.
 */
export async function revokeSession(
  node: Node,
  input: {
    readonly sessionId: string;
    readonly reason: RevocationReason;
    readonly ownerId?: string;
    readonly mustExist?: boolean;
  },
  by: By,
): Promise<void> {
  const { sessionId, reason, ownerId, mustExist = false } = input;
  const { readers, handler } = node.cells.of(sessionId);
  await handler.run(sessionId, async () => {
    const record = await findSession(readers, sessionId);
    const isOwners = record !== null && (ownerId === undefined || record.state.userId === ownerId);
    if (mustExist && !isOwners) throw new LatchkeyError('not_found');
    if (!isOwners) return unchanged(() => undefined);
    if (record.state.status === 'ended') applyEndedSession(node.memory, record);
    const change = changeSession(sessionId, record, {
      type: 'RevokeSession',
      now: node.now(),
      reason,
    });
    return append(by, [change], () => undefined);
  });
}
