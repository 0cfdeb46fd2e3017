import type { DeviceType } from '@latchkey/contract/device-type';
import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { RevocationReason } from '../../domain/session/events.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import { applyEndedSession } from '../../node/applied-revocations.ts';
import type { Services } from '../../node/services.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { type Change, changeSession, changeUser, mergeRows } from '../../tables/change.ts';
import { findSession, type SessionRecord } from '../../tables/session.ts';
import { metaOf } from '../actor.ts';
import { findUserWithSessions, guardUser } from '../guard.ts';

/**
 * Ends one session. Idempotent: one that has ended, or never was, is left as it is. With `ownerId`,
 * somebody else's raises `not_found`.
 */
export async function revokeSession(
  services: Services,
  input: {
    readonly sessionId: string;
    readonly reason: RevocationReason;
    readonly ownerId?: string;
    readonly mustExist?: boolean;
  },
  context: RequestContext,
): Promise<void> {
  const { sessionId, reason, ownerId, mustExist = false } = input;
  await services.handler.run(sessionId, async () => {
    const record = await findSession(services.readers, sessionId);
    const isOwners = record !== null && (ownerId === undefined || record.state.userId === ownerId);
    if (mustExist && !isOwners) throw new LatchkeyError('not_found');
    if (!isOwners) return nothing;
    if (record.state.status === 'ended') applyEndedSession(services.memory, record);
    const change = changeSession(sessionId, record, {
      type: 'RevokeSession',
      now: services.now(),
      reason,
    });
    if (change.events.length === 0) return nothing;
    return {
      command: {
        commandId: newId(),
        meta: metaOf(context),
        streams: [change.touch],
        rows: change.rows,
      },
      answer: () => undefined,
    };
  });
}

const nothing: Attempt<undefined> = { command: null, answer: () => undefined };

/**
 * Logout everywhere, or of the chosen sessions, in one transaction with the user guarded, so that a
 * login at the same moment is either ended or begins after it. Only when all sessions end is the
 * user's epoch raised: it kills every access token at once. Answers how many sessions ended.
 */
export async function revokeAllSessions(
  services: Services,
  input: {
    readonly userId: string;
    readonly exceptSessionId: string | null;
    readonly deviceType: DeviceType | null;
  },
  context: RequestContext,
): Promise<number> {
  return services.handler.run(input.userId, async () => {
    const now = services.now();
    const [user, live] = await findUserWithSessions(services.readers, input.userId);
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
    if (ended.length === 0 && raised === null) return { command: null, answer: () => 0 };
    return {
      command: {
        commandId: newId(),
        meta: metaOf(context),
        streams: [guardUser(user, raised?.touch), ...ended.map(({ touch }) => touch)],
        rows: mergeRows(raised?.rows ?? {}, ...ended.map(({ rows }) => rows)),
      },
      answer: () => ended.length,
    };
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
