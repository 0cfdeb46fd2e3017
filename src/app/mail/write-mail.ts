import { type MailKind, noticeTtlSeconds, proofOf } from '../../domain/mail/mail-kinds.ts';
import { encodeMailLink } from '../../domain/user/mail-link.ts';
import {
  linkTtlSeconds,
  openProof,
  otpTriesMax,
  otpTtlSeconds,
} from '../../domain/user/mail-proofs.ts';
import {
  type MailSecretContext,
  mailCode,
  mailLinkSecret,
} from '../../platform/crypto/mail-secret.ts';
import type { OutgoingMail } from '../../platform/mail/message.ts';
import { findUser, type UserForCommand } from '../../tables/user.ts';
import { PersonalData } from '../personal-data.ts';
import type { MailContext, SkipReason } from './mail-context.ts';
import { noticeOf } from './notice.ts';

/** A mail as it was queued. */
export interface MailToWrite {
  /** Of the job: the same for each try. */
  readonly id: string;
  readonly kind: MailKind;
  readonly userId: string;
  /** Of the event that causes it. */
  readonly pos: number;
  readonly requestId: string | null;
}

export type WrittenMail = { readonly mail: OutgoingMail } | { readonly skipped: SkipReason };

/** Where each link leads. The token stands in the fragment: no server and no log sees it. */
const linkPaths = {
  verification: '/auth/verify-email',
  reset: '/auth/password/reset',
  email_change: '/auth/email/confirm',
} as const;

interface Addressed {
  readonly to: string;
  readonly values: Readonly<Record<string, string>>;
}

/**
 * Writes a mail by what is true now: nothing for a code that was used or replaced, an erased or
 * disabled user, an address that nobody has proven. It goes to the stored address. Throws
 * LatchkeyError `unavailable`.
 */
export async function writeMail(context: MailContext, queued: MailToWrite): Promise<WrittenMail> {
  const { cells, subjectKeys, now } = context;
  const user = await findUser(cells.of(queued.userId).readers, queued.userId);
  if (user === null || user.state.status !== 'active') return { skipped: 'no_user' };
  const personal = await PersonalData.of(subjectKeys, user.userId, user.subjectKey);
  const addressed =
    proofOf(queued.kind) === null
      ? await noticeOf(context, queued, { user, personal, oldest: now() - noticeTtlSeconds * 1000 })
      : proofMail(context, queued, user, personal);
  if (typeof addressed === 'string') return { skipped: addressed };
  if (addressed.to === '') return { skipped: 'no_user' };
  return { mail: rendered(context, queued, addressed) };
}

function rendered(
  { templates, language, issuer }: MailContext,
  { id, kind }: MailToWrite,
  { to, values }: Addressed,
): OutgoingMail {
  const { hostname, host } = new URL(issuer);
  const written = templates.render(language, kind, { service: host, ...values });
  return { to, ...written, messageId: `<${id}@${hostname.replace(/[[\]]/g, '')}>` };
}

function proofMail(
  { mailProofKey, issuer, now }: MailContext,
  { kind, requestId }: MailToWrite,
  { userId, state }: UserForCommand,
  personal: PersonalData,
): Addressed | SkipReason {
  const purpose = proofOf(kind)!;
  const proof = openProof(state.mailProofs, purpose, now());
  if (proof === null || proof.requestId !== requestId) return 'not_open';
  if (purpose === 'otp' && proof.failures >= otpTriesMax) return 'not_open';
  const { emailVersion, passwordChangedAt } = state;
  const secretOf: MailSecretContext = {
    ...{ purpose, userId, requestId, emailVersion, passwordChangedAt },
  };
  const to = personal.profile(purpose === 'email_change' ? state.newEmailPii : state.pii).email;
  if (purpose === 'otp') {
    const minutes = String(otpTtlSeconds / 60);
    return { to, values: { code: mailCode(mailProofKey, secretOf), minutes } };
  }
  const secret = mailLinkSecret(mailProofKey, secretOf);
  const link = `${issuer}${linkPaths[purpose]}#${encodeMailLink({ userId, requestId, secret })}`;
  return { to, values: { link, minutes: String(linkTtlSeconds / 60) } };
}
