import type { MailKind, MailLanguage } from '../../domain/mail/mail-kinds.ts';
import { oneLine } from '../../domain/mail/one-line.ts';
import { initialUser, type UserState } from '../../domain/user/state.ts';
import { type RecordedEvent, readRange, readStream } from '../../eventlog/read.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import { foldLogged } from '../../tables/fold-logged.ts';
import { type KindedEvent, readLogged } from '../../tables/read-logged.ts';
import { findSession } from '../../tables/session.ts';
import { streams } from '../../tables/streams.ts';
import type { UserForCommand } from '../../tables/user.ts';
import type { PersonalData } from '../personal-data.ts';
import type { MailContext, SkipReason } from './mail-context.ts';

interface Recipient {
  readonly user: UserForCommand;
  readonly personal: PersonalData;
  /** What happened before (epoch ms) is not told any more. */
  readonly oldest: number;
}

interface Notice {
  readonly to: string;
  readonly values: Readonly<Record<string, string>>;
}

interface Happened extends Recipient {
  readonly at: RecordedEvent;
  readonly logged: KindedEvent;
  readonly readers: SealedReaders;
  readonly language: MailLanguage;
}

/** Who has just registered logs in for the first time: every device is new. */
const firstLoginsMs = 3_600_000;

/**
 * What a notice says, and to whom: a person who has proven the address. Anybody may register the
 * address of somebody else, who must not get mails about what the stranger does.
 */
export async function noticeOf(
  { cells, language }: MailContext,
  { kind, pos }: { readonly kind: MailKind; readonly pos: number },
  recipient: Recipient,
): Promise<Notice | SkipReason> {
  const { user, personal, oldest } = recipient;
  const { readers } = cells.of(user.userId);
  const [at] = await readRange(readers, { after: pos - 1, upTo: pos, limit: 1 });
  if (at === undefined || at.subjectId !== user.userId) return 'no_event';
  const logged = readLogged(at);
  if (logged.event.data.at < oldest) return 'too_old';
  const happened = { ...recipient, at, logged, readers, language };
  const state = kind.startsWith('email-') ? await stateBefore(happened) : user.state;
  if (!state.emailVerified) return 'unproven_address';
  const more = await detailsOf(kind, happened);
  if (typeof more === 'string') return more;
  const values = { time: timeText(logged.event.data.at, language), ...more };
  return { to: personal.profile(state.pii).email, values };
}

/** The user as before the event: it changes the address, or is about to. */
async function stateBefore({ at, user, readers }: Happened): Promise<UserState> {
  const events = await readStream(readers, user.userId);
  return events
    .filter(({ pos }) => pos < at.pos)
    .reduce((state, event) => foldLogged(streams.user, state, event).state, initialUser);
}

async function detailsOf(
  kind: MailKind,
  happened: Happened,
): Promise<Readonly<Record<string, string>> | SkipReason> {
  const { logged, language } = happened;
  const { event } = logged;
  if (event.type === 'UserLocked' || event.type === 'DeviceLocked')
    return { until: timeText(event.data.until, language) };
  if (kind === 'new-device') return newDevice(happened);
  if (kind === 'session-superseded') return newcomer(happened);
  return {};
}

/** The outbox queues it for a login that made a device known: the log says nothing of devices. */
function newDevice({ at, logged, user, personal, language }: Happened) {
  if (logged.event.type !== 'SessionStarted') return 'no_event';
  if (logged.event.data.at < user.state.registeredAt + firstLoginsMs) return 'known_device';
  const { device_name } = personal.sessionOrigin(at.pii);
  return { device: deviceText(device_name, logged.event.data.deviceType, language) };
}

/**
 * The outbox queues it for a login on a known device: of a new one another mail tells. A login in the
 * same browser as the session that it ended is the person's own.
 */
async function newcomer({ at, logged, readers, personal, language }: Happened) {
  if (logged.event.type !== 'SessionRevoked') return 'no_event';
  const successor = await findSession(readers, logged.event.data.supersededBy ?? at.streamId);
  const ended = await findSession(readers, at.streamId);
  if (successor === null || ended === null) return 'no_event';
  const [before, after] = [ended, successor].map(({ state }) => personal.sessionOrigin(state.pii));
  const same =
    before!.user_agent === after!.user_agent && before!.device_name === after!.device_name;
  if (same) return 'known_device';
  return { device: deviceText(after!.device_name, successor.state.deviceType, language) };
}

function deviceText(name: string, type: string, language: MailLanguage): string {
  const shown = oneLine(name);
  if (shown !== '') return `${shown} (${type})`;
  return language === 'de' ? `ohne Namen (${type})` : `without a name (${type})`;
}

function timeText(at: number, language: MailLanguage): string {
  const format = new Intl.DateTimeFormat(language === 'de' ? 'de-DE' : 'en-GB', {
    ...{ dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' },
  });
  return `${format.format(at)} UTC`;
}
