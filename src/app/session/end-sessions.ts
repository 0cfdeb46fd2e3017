import type { RevocationReason } from '../../domain/session/events.ts';
import type { Change } from '../../tables/change.ts';
import type { SessionRecord } from '../../tables/session.ts';
import { changeSession } from './change-session.ts';

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
