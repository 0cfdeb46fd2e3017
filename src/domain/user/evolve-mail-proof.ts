import type {
  EmailChanged,
  EmailChangeRequested,
  EmailVerificationRequested,
  EmailVerified,
  OtpCheckFailed,
  OtpConsumed,
  OtpRequested,
  PasswordResetCompleted,
  PasswordResetRequested,
  RegistrationRepeated,
} from './events.ts';
import { failedOnce } from './failure-counts.ts';
import {
  type MailPurpose,
  withFailure,
  withNoneOpen,
  withNoticed,
  withOpened,
  withUsed,
} from './mail-proofs.ts';
import { withoutSecondFactor } from './second-factor.ts';
import type { UserState } from './state.ts';

type RequestEvent =
  | OtpRequested
  | EmailVerificationRequested
  | PasswordResetRequested
  | EmailChangeRequested;

type MailProofEvent =
  | RequestEvent
  | OtpCheckFailed
  | OtpConsumed
  | EmailVerified
  | RegistrationRepeated
  | PasswordResetCompleted
  | EmailChanged;

/** What a proof by mail, or its request, makes of the user. */
export function evolveMailProof(state: UserState, event: MailProofEvent): UserState {
  switch (event.type) {
    case 'OtpRequested':
      return opened(state, 'otp', event);
    case 'EmailVerificationRequested':
      return opened(state, 'verification', event);
    case 'PasswordResetRequested':
      return opened(state, 'reset', event);
    case 'EmailChangeRequested':
      return { ...opened(state, 'email_change', event), newEmailPii: event.pii ?? null };
    case 'OtpCheckFailed':
      return {
        ...failedOnce(state, event.data),
        mailProofs: withFailure(state.mailProofs, event.data.requestId),
      };
    case 'RegistrationRepeated':
      return { ...state, mailProofs: withNoticed(state.mailProofs, event.data.at) };
    case 'OtpConsumed':
      return { ...state, mailProofs: withUsed(state.mailProofs, 'otp') };
    case 'PasswordResetCompleted':
      return { ...state, mailProofs: withUsed(state.mailProofs, 'reset') };
    case 'EmailVerified':
      return {
        ...withoutProofs(state),
        ...withoutSecondFactor,
        emailVerified: true,
        hasPassword: event.data.keepsPassword,
        passwordChangedAt: event.data.keepsPassword ? state.passwordChangedAt : null,
      };
    case 'EmailChanged':
      return {
        ...withoutProofs(state),
        emailVerified: true,
        emailVersion: state.emailVersion + 1,
        pii: event.pii ?? state.pii,
      };
  }
}

/** Nothing that is on its way by mail proves anything any more. */
export function withoutProofs(state: UserState): UserState {
  return { ...state, mailProofs: withNoneOpen(state.mailProofs), newEmailPii: null };
}

function opened(state: UserState, purpose: MailPurpose, { data }: RequestEvent): UserState {
  const { at: requestedAt, requestId, expiresAt } = data;
  const proof = { requestId, requestedAt, expiresAt };
  return { ...state, mailProofs: withOpened(state.mailProofs, purpose, proof) };
}
