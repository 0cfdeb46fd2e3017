import type { SessionEvent } from '../session/events.ts';
import type { UserEvent } from '../user/events.ts';
import type { MailKind } from './mail-kinds.ts';

export interface MailToSend {
  readonly kind: MailKind;
  /** Of the code or link; null for a notice. */
  readonly requestId: string | null;
}

/** The mails that an event of a user causes. */
export function mailsOfUserEvent(event: UserEvent): MailToSend[] {
  switch (event.type) {
    case 'OtpRequested':
      return [{ kind: 'one-time-code', requestId: event.data.requestId }];
    case 'EmailVerificationRequested':
      return [{ kind: 'verify-email', requestId: event.data.requestId }];
    case 'PasswordResetRequested':
      return [{ kind: 'reset-password', requestId: event.data.requestId }];
    case 'EmailChangeRequested':
      return [
        { kind: 'confirm-email', requestId: event.data.requestId },
        notice('email-change-requested'),
      ];
    case 'EmailChanged':
      return [notice('email-changed')];
    case 'PasswordChanged':
      return [notice('password-changed')];
    case 'TotpConfirmed':
      return [notice('second-factor-added')];
    case 'TotpRemoved':
      return [notice('second-factor-removed')];
    case 'RecoveryCodeUsed':
      return [notice('recovery-code-used')];
    case 'RegistrationRepeated':
      return [notice('registration-repeated')];
    case 'UserLocked':
      return [notice('account-locked')];
    case 'DeviceLocked':
      return [notice('device-locked')];
    default:
      return [];
  }
}

/** The mails that an event of a session causes. `SessionStarted`: if its device was not known. */
export function mailsOfSessionEvent(event: SessionEvent): MailToSend[] {
  switch (event.type) {
    case 'SessionStarted':
      return event.data.deviceType === 'service' ? [] : [notice('new-device')];
    case 'SessionRevoked':
      return event.data.reason === 'superseded' ? [notice('session-superseded')] : [];
    case 'RefreshTokenReuseDetected':
      return [notice('token-reuse')];
    default:
      return [];
  }
}

function notice(kind: MailKind): MailToSend {
  return { kind, requestId: null };
}
