/** A code or a link that went to an address and was not used yet. Times: epoch milliseconds. */
export interface OpenProof {
  readonly requestId: string;
  readonly requestedAt: number;
  readonly expiresAt: number;
  /** Wrong codes so far. A link has a secret that nobody guesses: its failures do not count. */
  readonly failures: number;
}

/** What a proof by mail is for. Of each purpose at most one is open: a new one ends the old one. */
export type MailPurpose = 'otp' | 'verification' | 'reset' | 'email_change';

/** The open proofs of a user, and how many mails were asked for since when. */
export interface MailProofs {
  readonly open: { readonly [P in MailPurpose]?: OpenProof };
  readonly sentSince: number;
  readonly sent: number;
  /** When the user was last told of something that a stranger did; null before the first time. */
  readonly noticedAt: number | null;
}

export const otpTtlSeconds = 600;
export const linkTtlSeconds = 1_800;
export const otpTriesMax = 5;
/** Who asks again this soon is answered the request that is open, and gets no second mail. */
const resendAfterSeconds = 30;
/** Mails that strangers may cause one person to get. */
const mailsPerHourMax = 10;

const hourMs = 3_600_000;

const nothingOpen: MailProofs = { open: {}, sentSince: 0, sent: 0, noticedAt: null };

function proofsOf(stored: MailProofs | null): MailProofs {
  return stored ?? nothingOpen;
}

export function openProof(
  stored: MailProofs | null,
  purpose: MailPurpose,
  now: number,
): OpenProof | null {
  const proof = proofsOf(stored).open[purpose];
  return proof === undefined || now >= proof.expiresAt ? null : proof;
}

/** Whether one more mail may go out: neither so soon after the last one, nor beyond the hour's. */
export function mayMail(stored: MailProofs | null, purpose: MailPurpose, now: number): boolean {
  const { sentSince, sent } = proofsOf(stored);
  const last = openProof(stored, purpose, now);
  if (last !== null && now < last.requestedAt + resendAfterSeconds * 1000) return false;
  return now >= sentSince + hourMs || sent < mailsPerHourMax;
}

/** Whether the user may be told of a stranger's act: once an hour, or strangers would fill a mailbox. */
export function mayNotify(stored: MailProofs | null, now: number): boolean {
  const { noticedAt } = proofsOf(stored);
  return noticedAt === null || now >= noticedAt + hourMs;
}

export function withNoticed(stored: MailProofs | null, noticedAt: number): MailProofs {
  return { ...proofsOf(stored), noticedAt };
}

export function withOpened(
  stored: MailProofs | null,
  purpose: MailPurpose,
  proof: Omit<OpenProof, 'failures'>,
): MailProofs {
  const { open, sentSince, sent, noticedAt } = proofsOf(stored);
  const isNewHour = proof.requestedAt >= sentSince + hourMs;
  return {
    noticedAt,
    open: { ...open, [purpose]: { ...proof, failures: 0 } },
    sentSince: isNewHour ? proof.requestedAt : sentSince,
    sent: isNewHour ? 1 : sent + 1,
  };
}

/** One more wrong code for that request, if it is the open one. */
export function withFailure(stored: MailProofs | null, requestId: string): MailProofs | null {
  const otp = stored?.open.otp;
  if (otp?.requestId !== requestId) return stored;
  return {
    ...proofsOf(stored),
    open: { ...stored!.open, otp: { ...otp, failures: otp.failures + 1 } },
  };
}

export function withUsed(stored: MailProofs | null, purpose: MailPurpose): MailProofs | null {
  if (stored?.open[purpose] === undefined) return stored;
  const { [purpose]: _used, ...open } = stored.open;
  return { ...stored, open };
}

/** Another password, address or status: whatever is on its way by mail proves nothing any more. */
export function withNoneOpen(stored: MailProofs | null): MailProofs | null {
  return stored === null ? null : { ...stored, open: {} };
}
