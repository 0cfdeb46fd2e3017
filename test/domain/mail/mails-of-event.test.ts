import { describe, expect, it } from 'vitest';
import { isLimited, type MailKind, mailKinds } from '../../../src/domain/mail/mail-kinds.ts';
import { mailsOfSessionEvent, mailsOfUserEvent } from '../../../src/domain/mail/mails-of-event.ts';
import type { SessionEvent } from '../../../src/domain/session/events.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';

const at = 1_700_000_000_000;
const open = { at, requestId: 'request', expiresAt: at + 1 };
const revoked = (reason: 'superseded' | 'logout' | 'reuse_detected'): SessionEvent => ({
  type: 'SessionRevoked',
  data: { at, reason },
});
const started = (deviceType: string) =>
  ({ type: 'SessionStarted', data: { at, deviceType } }) as unknown as SessionEvent;

const kindsOf = (mails: readonly { kind: MailKind }[]) => mails.map(({ kind }) => kind);

describe('the mails of an event', () => {
  it.each<[UserEvent, MailKind[]]>([
    [{ type: 'OtpRequested', data: open }, ['one-time-code']],
    [{ type: 'EmailVerificationRequested', data: open }, ['verify-email']],
    [{ type: 'PasswordResetRequested', data: open }, ['reset-password']],
    [{ type: 'EmailChangeRequested', data: open }, ['confirm-email', 'email-change-requested']],
    [{ type: 'EmailChanged', data: { at } }, ['email-changed']],
    [{ type: 'PasswordChanged', data: { at } }, ['password-changed']],
    // `PasswordChanged` stands in the same append.
    [{ type: 'PasswordResetCompleted', data: { at } }, []],
    [{ type: 'TotpConfirmed', data: { at, factorId: 'f', step: 1 } }, ['second-factor-added']],
    [{ type: 'TotpRemoved', data: { at, by: 'user' } }, ['second-factor-removed']],
    [{ type: 'RecoveryCodeUsed', data: { at, hash: 'h' } }, ['recovery-code-used']],
    [{ type: 'FactorAccepted', data: { at, step: 1 } }, []],
    [{ type: 'RegistrationRepeated', data: { at } }, ['registration-repeated']],
    [{ type: 'UserLocked', data: { at, until: at, lockCount: 1 } }, ['account-locked']],
    [
      { type: 'DeviceLocked', data: { at, until: at, lockCount: 1, deviceId: 'd' } },
      ['device-locked'],
    ],
    [{ type: 'PasswordCheckFailed', data: { at } }, []],
    [{ type: 'EmailVerified', data: { at, keepsPassword: false } }, []],
  ])('$type', (event, kinds) => {
    expect(kindsOf(mailsOfUserEvent(event))).toEqual(kinds);
  });

  it('of a session: a login by a person, its replacement, a token that came twice', () => {
    expect(kindsOf(mailsOfSessionEvent(started('web')))).toEqual(['new-device']);
    expect(mailsOfSessionEvent(started('service'))).toEqual([]);
    expect(kindsOf(mailsOfSessionEvent(revoked('superseded')))).toEqual(['session-superseded']);
    expect(mailsOfSessionEvent(revoked('logout'))).toEqual([]);
    const reuse = { at, generation: 1, currentGeneration: 3 };
    expect(
      kindsOf(mailsOfSessionEvent({ type: 'RefreshTokenReuseDetected', data: reuse })),
    ).toEqual(['token-reuse']);
    expect(mailsOfSessionEvent(revoked('reuse_detected'))).toEqual([]);
  });

  // Fails when failures of strangers fill somebody's mailbox, or a second change of the address is
  // kept from the person whose address it was.
  it('notices are limited, but for those of requests that are limited themselves', () => {
    const limited = (Object.keys(mailKinds) as MailKind[]).filter(isLimited);
    expect(limited).toEqual([
      'password-changed',
      'second-factor-added',
      'second-factor-removed',
      'recovery-code-used',
      'new-device',
      'session-superseded',
      'token-reuse',
      'registration-repeated',
      'account-locked',
      'device-locked',
    ]);
  });
});
