import type { DeviceType } from '@latchkey/contract/device-type';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { RevocationReason } from '../../domain/session/events.ts';
import { applyEndedSession } from '../../node/applied-revocations.ts';
import type { Node } from '../../node/node.ts';
import { type Change, changeSession, changeUser } from '../../tables/change.ts';
import { findSession, type SessionRecord } from '../../tables/session.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { findUserWithSessions, guarded } from '../guard.ts';

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

/**
 * Logout everywhere, or of the chosen sessions, in one transaction with the user guarded, so that a
 * login at the same moment is either ended or begins after it. Only when all sessions end is the
 * user's epoch raised: it kills every access token at once. Answers how many sessions ended.
 */
export async function revokeAllSessions(
  node: Node,
  input: {
    readonly userId: string;
    readonly exceptSessionId: string | null;
    readonly deviceType: DeviceType | null;
  },
  by: By,
): Promise<number> {
  const { readers, handler } = node.cells.of(input.userId);
  return handler.run(input.userId, async () => {
    const now = node.now();
    const [user, live] = await findUserWithSessions(readers, input.userId);
    if (user === null) throw new LatchkeyError('not_found');
    const isEverything = input.exceptSessionId === null && input.deviceType === null;
    const raised = isEverything ? changeUser(user.userId, user, { type: 'RaiseEpoch', now }) : null;
    const ended = endSessions(
      live.filter(
        ({ sessionId, state }) =>
          sessionId !== input.exceptSessionId &&
          (input.deviceType === null || state.deviceType === input.deviceType),
      ),
      now,
      'logout_everywhere',
    );
    return append(by, [guarded(user, raised ?? undefined), ...ended], () => ended.length);
  });
}

/** The changes that end these sessions for one reason; those past their expiry expire instead. */
export function endSessions(
  records: readonly SessionRecord[],
  now: number,
  reason: RevocationReason,
): Change<SessionRecord['state']>[] {
  return records
    .map((record) =>
      changeSession(record.sessionId, record, { type: 'RevokeSession', now, reason }),
    )
    .filter(({ events }) => events.length > 0);
}
