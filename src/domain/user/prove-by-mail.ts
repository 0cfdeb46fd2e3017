import { accept, type Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { type GivenFactor, judgeFactor } from './judge-factor.ts';
import {
  linkTtlSeconds,
  type MailPurpose,
  mayMail,
  mayNotify,
  openProof,
  otpTriesMax,
  otpTtlSeconds,
} from './mail-proofs.ts';
import type { UserState } from './state.ts';

/**
 * Asks for a code or a link. Where no mail may go out (a disabled user, a proven address, too many
 * mails) nothing is recorded, and the caller is answered the same.
 */
export interface RequestMailProof {
  readonly type: 'RequestMailProof';
  readonly now: number;
  readonly purpose: Exclude<MailPurpose, 'email_change'>;
  readonly requestId: string;
}

/**
 * Somebody tried to register this user's address. Who has not proven it gets another link, and who
 * has, a notice: `requestId` is of that link.
 */
export interface RepeatRegistration {
  readonly type: 'RepeatRegistration';
  readonly now: number;
  readonly requestId: string;
}

/** `pii`: `{email}`, the new address. It takes a user who has just proved to be the user. */
export interface RequestEmailChange {
  readonly type: 'RequestEmailChange';
  readonly now: number;
  readonly requestId: string;
  readonly pii: Uint8Array;
}

/** A code, for the request that it was given with. `matches`: it is that request's code. */
export interface CheckOtp extends GivenFactor {
  readonly type: 'CheckOtp';
  readonly requestId: string;
}

/** The secret of a link, which matched the request that it names. */
interface OpenedLink {
  readonly now: number;
  readonly requestId: string;
}

/** `keepsPassword`: who verifies has repeated the password that was set before. */
export interface VerifyEmail extends OpenedLink {
  readonly type: 'VerifyEmail';
  readonly keepsPassword: boolean;
}

export interface ResetPassword extends OpenedLink {
  readonly type: 'ResetPassword';
}

/** `pii`: the whole profile with the new address. */
export interface ChangeEmail extends OpenedLink {
  readonly type: 'ChangeEmail';
  readonly pii: Uint8Array;
}

export type MailProofCommand =
  | RequestMailProof
  | RepeatRegistration
  | RequestEmailChange
  | CheckOtp
  | VerifyEmail
  | ResetPassword
  | ChangeEmail;

/**
 * Throws `invalid_credentials` (a code), `invalid_token` (a link that is used, replaced or too old),
 * `forbidden`, `rate_limited`.
 */
export function proveByMail(state: UserState, command: MailProofCommand): Decision<UserEvent> {
  switch (command.type) {
    case 'RequestMailProof':
      return requestProof(state, command);
    case 'RepeatRegistration':
      return repeatRegistration(state, command);
    case 'RequestEmailChange':
      return requestEmailChange(state, command);
    case 'CheckOtp':
      return checkOtp(state, command);
    case 'VerifyEmail':
      requireOpen(state, 'verification', command);
      return accept(...verified(state, command.now, command.keepsPassword));
    case 'ResetPassword':
      return resetPassword(state, command);
    case 'ChangeEmail':
      requireOpen(state, 'email_change', command);
      return accept({ type: 'EmailChanged', data: { at: command.now }, pii: command.pii });
  }
}

function requestProof(
  state: UserState,
  { now: at, purpose, requestId }: RequestMailProof,
): Decision<UserEvent> {
  if (state.status !== 'active' || !mayMail(state.mailProofs, purpose, at)) return accept();
  switch (purpose) {
    case 'otp':
      return accept({ type: 'OtpRequested', data: open(at, requestId, otpTtlSeconds) });
    case 'reset':
      return accept({ type: 'PasswordResetRequested', data: open(at, requestId, linkTtlSeconds) });
    case 'verification':
      if (state.emailVerified) return accept();
      return accept({
        type: 'EmailVerificationRequested',
        data: open(at, requestId, linkTtlSeconds),
      });
  }
}

function repeatRegistration(
  state: UserState,
  { now: at, requestId }: RepeatRegistration,
): Decision<UserEvent> {
  const ask = { type: 'RequestMailProof', now: at, purpose: 'verification', requestId } as const;
  if (!state.emailVerified) return requestProof(state, ask);
  if (state.status !== 'active' || !mayNotify(state.mailProofs, at)) return accept();
  return accept({ type: 'RegistrationRepeated', data: { at } });
}

function requestEmailChange(
  state: UserState,
  { now: at, requestId, pii }: RequestEmailChange,
): Decision<UserEvent> {
  if (state.status !== 'active') throw new LatchkeyError('forbidden', { detail: 'disabled user' });
  if (!mayMail(state.mailProofs, 'email_change', at)) {
    throw new LatchkeyError('rate_limited', {
      retryAfterSeconds: 60,
      detail: 'too many mails to this user',
    });
  }
  const data = open(at, requestId, linkTtlSeconds);
  return accept({ type: 'EmailChangeRequested', data, pii });
}

function open(at: number, requestId: string, ttlSeconds: number) {
  return { at, requestId, expiresAt: at + ttlSeconds * 1000 };
}

/**
 * Wrong codes of all requests share the user's one count: nobody has five tries more with each
 * request that anybody may open. A code is refused, and counted, also when another request is the
 * open one.
 */
function checkOtp(state: UserState, command: CheckOtp): Decision<UserEvent> {
  if (state.status !== 'active') throw new LatchkeyError('invalid_credentials');
  const { now: at, requestId, pii } = command;
  const proof = openProof(state.mailProofs, 'otp', at);
  const isOpen = proof?.requestId === requestId && proof.failures < otpTriesMax;
  const judged = judgeFactor(state, { ...command, matches: command.matches && isOpen }, (by) => ({
    type: 'OtpCheckFailed',
    data: { at, requestId, ...by },
    pii,
  }));
  if (judged.refusal !== undefined) return judged;
  return accept<UserEvent>(
    ...judged.events,
    { type: 'OtpConsumed', data: { at, requestId } },
    ...verified(state, at, false),
  );
}

/**
 * The first proof that the address is the person's own. Whoever made the account before may have
 * been somebody else: a password that is not repeated goes, and with it every session and device.
 */
function verified(state: UserState, at: number, keepsPassword: boolean): UserEvent[] {
  if (state.emailVerified) return [];
  const epoch = state.epoch + 1;
  return [
    firstProof(at, keepsPassword && state.hasPassword),
    { type: 'UserEpochRaised', data: { at, epoch, cause: 'email_verified' } },
  ];
}

function firstProof(at: number, keepsPassword: boolean): UserEvent {
  return { type: 'EmailVerified', data: { at, keepsPassword } };
}

/** A lock that began after the request was made stays: it is about somebody else's tries. */
function resetPassword(state: UserState, command: ResetPassword): Decision<UserEvent> {
  const { now: at } = command;
  const { requestedAt } = requireOpen(state, 'reset', command);
  const failedBefore = state.lastFailureAt !== null && state.lastFailureAt <= requestedAt;
  const clears = state.failedChecks > 0 && failedBefore;
  return accept<UserEvent>(
    { type: 'PasswordResetCompleted', data: { at } },
    ...(state.emailVerified ? [] : [firstProof(at, false)]),
    { type: 'PasswordChanged', data: { at } },
    { type: 'UserEpochRaised', data: { at, epoch: state.epoch + 1, cause: 'password_changed' } },
    ...(clears ? [{ type: 'FailedChecksCleared', data: { at } } as const] : []),
  );
}

function requireOpen(state: UserState, purpose: MailPurpose, { now, requestId }: OpenedLink) {
  const proof = openProof(state.mailProofs, purpose, now);
  if (state.status !== 'active' || proof?.requestId !== requestId) {
    throw new LatchkeyError('invalid_token', { detail: `the link for ${purpose} is not open` });
  }
  return proof;
}
