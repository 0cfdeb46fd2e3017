import { describe, expect, it } from 'vitest';
import type { ConfirmTotp } from '../../../src/domain/user/change-second-factor.ts';
import type { CheckRecoveryCode, CheckTotp } from '../../../src/domain/user/check-second-factor.ts';
import { userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import {
  recoveryCode,
  recoveryCodeBytes,
  recoveryCodeHash,
} from '../../../src/domain/user/recovery-code.ts';
import { factorIdsOf, hasSecondFactor } from '../../../src/domain/user/second-factor.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import { enrolled, hashes, issued, now, raised, twoFactors } from './second-factors.ts';
import { checkAt, disabledAt, failedAt, failures, lockedAt, place, registered } from './users.ts';

const { given } = specificationFor(userDecider);
const shown = { now, device: null, pii: place, challenge: null } as const;
const totp = (...matchingSteps: number[]): CheckTotp => ({
  ...{ ...shown, type: 'CheckTotp', factorId: 'phone', matchingSteps },
});
const code = (hash: string): CheckRecoveryCode => ({ ...shown, type: 'CheckRecoveryCode', hash });
const accepted = (step: number, at = now): UserEvent => ({
  type: 'FactorAccepted',
  data: { at, step },
});
const failed = (factor: 'totp' | 'recovery_code', at = now): UserEvent => ({
  ...{ type: 'FactorCheckFailed', data: { at, factor }, pii: place },
});
const cleared: UserEvent = { type: 'FailedChecksCleared', data: { at: now } };

describe('enrolling an authenticator app', () => {
  it('gives out a secret that proves nothing yet', () => {
    const outcome = given(registered).when({ type: 'EnrolTotp', now, factorId: 'phone' });
    outcome.thenRecords(enrolled('phone', now));
    expect(hasSecondFactor(outcome.state())).toBe(false);
    given(registered, enrolled()).when(totp(101)).thenRefuses('invalid_credentials');
  });

  // Fails when an enrolment that somebody with a stolen password has begun outlives the promotion.
  it('is over with the grant of latchkey:admin, and a confirmed one is not', () => {
    const grant = { type: 'GrantRole', now, role: 'latchkey:admin' } as const;
    const pending = given(registered, enrolled()).when(grant).state();
    expect(pending.totp).toBeNull();
    expect(
      given(registered, enrolled())
        .when({ ...grant, role: 'shop' })
        .state().totp,
    ).not.toBeNull();
    const both = given(...twoFactors, enrolled('tablet'))
      .when(grant)
      .state();
    expect(both.totp).toMatchObject({ pending: null, confirmed: { factorId: 'phone' } });
  });

  it('keeps the confirmed one until the new one is confirmed', () => {
    const again = { type: 'EnrolTotp', now, factorId: 'tablet' } as const;
    const state = given(...twoFactors)
      .when(again)
      .state();
    expect(hasSecondFactor(state)).toBe(true);
    expect(factorIdsOf(state)).toEqual(['tablet', 'phone']);
  });

  it('is nothing for a disabled user', () => {
    given(registered, disabledAt(now - 1))
      .when({ type: 'EnrolTotp', now, factorId: 'phone' })
      .thenRefuses('forbidden');
  });
});

describe('confirming it', () => {
  const confirm = (change: Partial<ConfirmTotp> = {}): ConfirmTotp => ({
    ...{ type: 'ConfirmTotp', now, factorId: 'phone', matchingSteps: [100] },
    ...{ device: null, pii: place, recoveryCodeHashes: hashes },
    ...change,
  });

  it('takes its first code, issues ten recovery codes and raises the epoch', () => {
    given(registered, enrolled())
      .when(confirm())
      .thenRecords(
        { type: 'TotpConfirmed', data: { at: now, factorId: 'phone', step: 100 } },
        { type: 'RecoveryCodesIssued', data: { at: now, hashes } },
        raised(),
      );
  });

  it('replaces the factor and the recovery codes from before', () => {
    const others = hashes.map((hash) => `new ${hash}`);
    const state = given(...twoFactors, enrolled('tablet'))
      .when(confirm({ factorId: 'tablet', recoveryCodeHashes: others }))
      .state();
    expect(factorIdsOf(state)).toEqual(['tablet']);
    expect(state.recoveryCodeHashes).toEqual(others);
  });

  // Fails when the first code is a free guess for a thief of the session.
  it('counts a wrong code, and a right one clears no failure of another factor', () => {
    given(registered, enrolled())
      .when(confirm({ matchingSteps: [] }))
      .thenRecordsAndRefuses('invalid_credentials', failed('totp'));
    const state = given(registered, failedAt(now - 2), enrolled())
      .when(confirm())
      .state();
    expect(state.failedChecks).toBe(1);
  });

  it('is a conflict when the enrolment is over, was replaced or never was', () => {
    given(registered)
      .when(confirm({ factorId: null }))
      .thenRefuses('conflict');
    given(registered, enrolled(), enrolled('tablet')).when(confirm()).thenRefuses('conflict');
    given(registered, enrolled('phone', now - 600_000))
      .when(confirm())
      .thenRefuses('conflict');
  });
});

describe('the code of the app', () => {
  it('is accepted once: neither it nor one of an earlier half minute comes again', () => {
    given(...twoFactors)
      .when(totp(101))
      .thenRecords(accepted(101));
    given(...twoFactors, accepted(101))
      .when(totp(101))
      .thenRefuses('invalid_credentials');
    given(...twoFactors, accepted(101))
      .when(totp(100))
      .thenRefuses('invalid_credentials');
    given(...twoFactors, accepted(101))
      .when(totp(102))
      .thenRecords(accepted(102));
  });

  it('that fits two half minutes counts for the first that was not used', () => {
    given(...twoFactors, accepted(101))
      .when(totp(102, 100))
      .thenRecords(accepted(102));
  });

  it('counts when it is wrong, and clears the count when it is right', () => {
    given(...twoFactors)
      .when(totp())
      .thenRecordsAndRefuses('invalid_credentials', failed('totp'));
    given(...twoFactors, failedAt(now - 1))
      .when(totp(101))
      .thenRecords(cleared, accepted(101));
  });

  it('that was used is no guess: it does not count', () => {
    given(...twoFactors, ...failures(9, now - 1))
      .when(totp(100))
      .thenRefuses('invalid_credentials');
  });

  it('shares ten tries with the password and the recovery codes', () => {
    const nine = [...failures(8, now - 1), failed('recovery_code', now - 1)];
    given(...twoFactors, ...nine)
      .when(totp())
      .thenRecordsAndRefuses('invalid_credentials', failed('totp'), lockedAt(now, 1, 1));
  });

  it('is refused while the user is locked, and disabled', () => {
    const locked = [...failures(10, now - 1), lockedAt(now - 1, 1, 1)];
    given(...twoFactors, ...locked)
      .when(totp(101))
      .thenRefuses('invalid_credentials');
    given(...twoFactors, disabledAt(now - 1))
      .when(totp(101))
      .thenRefuses('invalid_credentials');
  });

  it('that was compared with the secret of another factor decides nothing', () => {
    given(...twoFactors)
      .when({ ...totp(101), factorId: 'tablet' })
      .thenRefuses('conflict');
  });
});

describe('a recovery code', () => {
  const used = (hash: string): UserEvent => ({ type: 'RecoveryCodeUsed', data: { at: now, hash } });

  it('is good once', () => {
    given(...twoFactors)
      .when(code('code 7'))
      .thenRecords(used('code 7'));
    given(...twoFactors, used('code 7'))
      .when(code('code 7'))
      .thenRecordsAndRefuses('invalid_credentials', failed('recovery_code'));
  });

  it('is worth nothing once new ones were issued', () => {
    const others = hashes.map((hash) => `new ${hash}`);
    given(...twoFactors)
      .when({ type: 'IssueRecoveryCodes', now, hashes: others })
      .thenRecords({ type: 'RecoveryCodesIssued', data: { at: now, hashes: others } });
    given(...twoFactors, issued(others))
      .when(code('code 7'))
      .thenRecordsAndRefuses('invalid_credentials', failed('recovery_code'));
  });

  it('is one of ten, for who has a factor', () => {
    given(registered).when({ type: 'IssueRecoveryCodes', now, hashes }).thenRefuses('conflict');
    given(...twoFactors)
      .when({ type: 'IssueRecoveryCodes', now, hashes: hashes.slice(1) })
      .thenBreaks(/ten recovery codes/);
  });

  it('has 120 bits in six groups, and one hash for every way to type it', () => {
    const text = recoveryCode(Buffer.alloc(recoveryCodeBytes, 0xab));
    expect(text).toMatch(/^([A-Z2-7]{4}-){5}[A-Z2-7]{4}$/);
    expect(recoveryCodeHash(text.toLowerCase().replaceAll('-', ''))).toBe(recoveryCodeHash(text));
  });
});

describe('a right password of a user with a second factor', () => {
  // Fails when a thief of the password can have ten tries of the second factor, and then ten more.
  it('clears no failure: only the second factor does', () => {
    given(...twoFactors, failedAt(now - 1))
      .when(checkAt(now, true))
      .thenRecords();
    given(registered, failedAt(now - 1))
      .when(checkAt(now, true))
      .thenRecords(cleared);
  });

  // Fails when a thief of a session and the password gets new tries by changing that password.
  it('clears none of a session either, when the password is changed', () => {
    const failedInSession: UserEvent = {
      type: 'FactorCheckFailed',
      data: { at: now - 1, factor: 'totp', deviceId: 'session' },
      pii: place,
    };
    const state = given(...twoFactors, failedInSession)
      .when({ type: 'ChangePassword', now })
      .state();
    expect(state.devices.failures).toMatchObject([{ deviceId: 'session', failedChecks: 1 }]);
  });
});
