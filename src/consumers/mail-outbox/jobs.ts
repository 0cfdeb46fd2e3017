import { derivedId, homeSlot } from '../../domain/kernel/ids.ts';
import { isLimited, type MailKind, noticeTtlSeconds } from '../../domain/mail/mail-kinds.ts';
import {
  type MailToSend,
  mailsOfSessionEvent,
  mailsOfUserEvent,
} from '../../domain/mail/mails-of-event.ts';
import type { RecordedEvent } from '../../eventlog/read.ts';
import { readLogged } from '../../tables/read-logged.ts';

/** What a delivery starts from. No address, no name, no secret: the rest is read when it is sent. */
export interface MailJob {
  readonly kind: MailKind;
  readonly userId: string;
  /** The position of the event that causes the mail. */
  readonly pos: number;
  /** Of the code or link; null for a notice. */
  readonly requestId: string | null;
}

export interface QueuedMail {
  /** Follows from the log and the event: the same mail is queued once, whoever queues it. */
  readonly id: string;
  readonly job: MailJob;
  /** Of mails with the same key only one is queued in a time; null: all are. */
  readonly limitKey: string | null;
}

/** The mails that these events cause. Throws UnreadableEventError. */
export function mailsOf(
  events: readonly RecordedEvent[],
  { logId, now }: { readonly logId: string; readonly now: number },
): QueuedMail[] {
  const oldest = now - noticeTtlSeconds * 1000;
  return events.flatMap((recorded) => {
    const userId = recorded.subjectId;
    const mails = mailsOfRecorded(recorded);
    if (userId === null || recorded.recordedAt.getTime() < oldest) return [];
    return mails.map(({ kind, requestId }) => ({
      id: derivedId(homeSlot, 'mail', logId, String(recorded.pos), kind),
      job: { kind, userId, pos: recorded.pos, requestId },
      limitKey: isLimited(kind) ? `${userId} ${kind}` : null,
    }));
  });
}

function mailsOfRecorded(recorded: RecordedEvent): MailToSend[] {
  const logged = readLogged(recorded);
  if (logged.kind === 'user') return mailsOfUserEvent(logged.event);
  return logged.kind === 'session' ? mailsOfSessionEvent(logged.event) : [];
}
