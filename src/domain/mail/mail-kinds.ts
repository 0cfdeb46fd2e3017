import type { MailPurpose } from '../user/mail-proofs.ts';

/** What the templates of one kind of mail may and must name. */
interface MailKindFacts {
  /** The code or link that the mail carries; a notice carries none. */
  readonly proof?: MailPurpose;
  /** Placeholders without which the mail is useless. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

const proofPlaceholders = ['service', 'minutes'];
const noticePlaceholders = ['service'];

/** Every mail that Latchkey sends. The name is also that of its templates and a metric's label. */
export const mailKinds = {
  'one-time-code': { proof: 'otp', required: ['code'], optional: proofPlaceholders },
  'verify-email': { proof: 'verification', required: ['link'], optional: proofPlaceholders },
  'reset-password': { proof: 'reset', required: ['link'], optional: proofPlaceholders },
  'confirm-email': { proof: 'email_change', required: ['link'], optional: proofPlaceholders },
  'email-change-requested': { required: ['time'], optional: noticePlaceholders },
  'email-changed': { required: ['time'], optional: noticePlaceholders },
  'password-changed': { required: ['time'], optional: noticePlaceholders },
  'second-factor-added': { required: ['time'], optional: noticePlaceholders },
  'second-factor-removed': { required: ['time'], optional: noticePlaceholders },
  'recovery-code-used': { required: ['time'], optional: noticePlaceholders },
  'new-device': { required: ['time', 'device'], optional: noticePlaceholders },
  'session-superseded': { required: ['time', 'device'], optional: noticePlaceholders },
  'token-reuse': { required: ['time'], optional: noticePlaceholders },
  'registration-repeated': { required: ['time'], optional: noticePlaceholders },
  'account-locked': { required: ['time', 'until'], optional: noticePlaceholders },
  'device-locked': { required: ['time', 'until'], optional: noticePlaceholders },
} as const satisfies Readonly<Record<string, MailKindFacts>>;

export type MailKind = keyof typeof mailKinds;

/** The languages that Latchkey brings templates in. */
export const mailLanguages = ['en', 'de'] as const;
export type MailLanguage = (typeof mailLanguages)[number];

/** What a kind carries; null for a notice. */
export function proofOf(kind: MailKind): MailPurpose | null {
  const facts: MailKindFacts = mailKinds[kind];
  return facts.proof ?? null;
}

/** Later, a notice is not sent any more: what it tells of is long over. */
export const noticeTtlSeconds = 3 * 86_400;

/**
 * Of each limited kind one person gets at most one mail in this time, three an hour: 2,000 failures
 * are not 2,000 mails.
 */
export const noticeEverySeconds = 1_200;

/**
 * Those that follow from a request which is itself limited (`mailsPerHourMax`) are not limited
 * again: a second change of an address has another recipient.
 */
export function isLimited(kind: MailKind): boolean {
  return proofOf(kind) === null && !kind.startsWith('email-');
}
