import { describe, expect, it } from 'vitest';
import { userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { hasSecondFactor } from '../../../src/domain/user/second-factor.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import { enrolled, hashes, now, raised, twoFactors } from './second-factors.ts';
import { disabledAt, hourMs, minuteMs, registered } from './users.ts';

const { given } = specificationFor(userDecider);

describe('the second factor goes', () => {
  const without = { totp: null, recoveryCodeHashes: null };

  it('with its recovery codes, by who has shown it, and raises the epoch', () => {
    const outcome = given(...twoFactors).when({ type: 'RemoveTotp', now, by: 'user' });
    outcome.thenRecords({ type: 'TotpRemoved', data: { at: now, by: 'user' } }, raised());
    expect(outcome.state()).toMatchObject(without);
    given(registered).when({ type: 'RemoveTotp', now, by: 'user' }).thenRefuses('conflict');
  });

  it('by an administrator, also of a disabled user; where there is none, nothing happens', () => {
    given(...twoFactors, disabledAt(now - 1))
      .when({ type: 'RemoveTotp', now, by: 'admin' })
      .thenRecords({ type: 'TotpRemoved', data: { at: now, by: 'admin' } }, raised(2));
    given(registered).when({ type: 'RemoveTotp', now, by: 'admin' }).thenRecords();
  });

  // Fails when an enrolment that nobody confirmed passes for a factor, whose removal ends sessions.
  it('only where there was one: an open enrolment is none', () => {
    const pending = given(registered, enrolled());
    pending.when({ type: 'RemoveTotp', now, by: 'admin' }).thenRecords();
    pending.when({ type: 'RemoveTotp', now, by: 'user' }).thenRefuses('conflict');
  });

  const asked = (
    type: 'EmailVerificationRequested' | 'PasswordResetRequested',
    at = now - minuteMs,
  ): UserEvent => ({ type, data: { at, requestId: 'r', expiresAt: at + hourMs } });

  // Fails when who registers somebody else's address first can lock its owner out by a factor.
  it('with the first proof of the address, whoever made it', () => {
    const state = given(...twoFactors, asked('EmailVerificationRequested'))
      .when({ type: 'VerifyEmail', now, requestId: 'r', keepsPassword: true })
      .state();
    expect(state).toMatchObject({ ...without, hasPassword: true });
  });

  it('not with a reset of the password of a proven address', () => {
    const proven: UserEvent = { type: 'EmailVerified', data: { at: now, keepsPassword: true } };
    const [first, ...factor] = twoFactors;
    const state = given(first!, proven, ...factor, asked('PasswordResetRequested'))
      .when({ type: 'ResetPassword', now, requestId: 'r' })
      .state();
    expect(hasSecondFactor(state)).toBe(true);
    expect(state.recoveryCodeHashes).toEqual(hashes);
  });
});
