import { derivedId, homeSlot } from '../../domain/kernel/ids.ts';
import { isLimited, type MailKind, noticeTtlSeconds } from '../../domain/mail/mail-kinds.ts';
import {
  type MailToSend,
  mailsOfSessionEvent,
  mailsOfUserEvent,
} from '../../domain/mail/mails-of-event.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import type { RecordedEvent } from '../../eventlog/read.ts';
import { findDevicesMadeAt } from '../../tables/device-token.ts';
import { type KindedEvent, readLogged } from '../../tables/read-logged.ts';

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

interface Candidate {
  readonly mail: QueuedMail;
  /** The mail is for a login at that moment, by a device that it made known or that was known. */
  readonly login: { readonly at: number; readonly isOnNewDevice: boolean } | null;
}

/**
 * The mails that these events cause. Logins on known devices, by far the most, cause none: a job
 * for each would also use up the limit of the one that matters. Throws UnreadableEventError.
 */
export async function mailsOf(
  client: Queryable,
  events: readonly RecordedEvent[],
  { logId, now }: { readonly logId: string; readonly now: number },
): Promise<QueuedMail[]> {
  const oldest = now - noticeTtlSeconds * 1000;
  const candidates = events
    .filter(({ recordedAt }) => recordedAt.getTime() >= oldest)
    .flatMap((recorded) => candidatesOf(recorded, logId));
  const logins = candidates.flatMap(({ mail, login }) =>
    login === null ? [] : { userId: mail.job.userId, at: login.at },
  );
  const madeKnown = await findDevicesMadeAt(client, logins);
  const isOnNewDevice = (userId: string, at: number) =>
    madeKnown.some((device) => device.userId === userId && device.at === at);
  return candidates
    .filter(
      ({ mail, login }) =>
        login === null || login.isOnNewDevice === isOnNewDevice(mail.job.userId, login.at),
    )
    .map(({ mail }) => mail);
}

function candidatesOf(recorded: RecordedEvent, logId: string): Candidate[] {
  const { pos, subjectId: userId } = recorded;
  const logged = readLogged(recorded);
  if (userId === null) return [];
  return mailsOfLogged(logged).map(({ kind, requestId }) => ({
    mail: {
      id: derivedId(homeSlot, 'mail', logId, String(pos), kind),
      job: { kind, userId, pos, requestId },
      limitKey: isLimited(kind) ? `${userId} ${kind}` : null,
    },
    // A login, and what it supersedes, happen at one time.
    login:
      kind === 'new-device' || kind === 'session-superseded'
        ? { at: logged.event.data.at, isOnNewDevice: kind === 'new-device' }
        : null,
  }));
}

function mailsOfLogged(logged: KindedEvent): MailToSend[] {
  if (logged.kind === 'user') return mailsOfUserEvent(logged.event);
  return logged.kind === 'session' ? mailsOfSessionEvent(logged.event) : [];
}
