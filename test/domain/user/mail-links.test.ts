import { describe, expect, it } from 'vitest';
import { userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  ask,
  at,
  changeSent,
  linkSent,
  now,
  otherId,
  otpRequested,
  proven,
  requestId,
  resetSent,
  verifiedNow,
} from './mail-requests.ts';
import {
  disabledAt,
  failures,
  hourMs,
  lockedAt,
  minuteMs,
  pii,
  place,
  registered,
  registeredAt,
} from './users.ts';

const { given } = specificationFor(userDecider);

describe('a link that proves the address', () => {
  const verify = (keepsPassword: boolean, verifiedAt = now, id = requestId) =>
    ({ type: 'VerifyEmail', now: verifiedAt, requestId: id, keepsPassword }) as const;

  it('ends the password from before unless it was repeated', () => {
    const lost = given(registered, linkSent).when(verify(false));
    lost.thenRecords(...verifiedNow(false));
    expect(lost.state().hasPassword).toBe(false);
    const kept = given(registered, linkSent).when(verify(true));
    kept.thenRecords(...verifiedNow(true));
    expect(kept.state()).toMatchObject({ hasPassword: true, passwordChangedAt: registeredAt });
  });

  it('works once, in time, and is the last one that was sent', () => {
    given(registered, linkSent, ...verifiedNow(false))
      .when(verify(false))
      .thenRefuses('invalid_token');
    given(registered, linkSent)
      .when(verify(false, at + 1_800_000))
      .thenRefuses('invalid_token');
    given(registered, linkSent)
      .when(verify(false, now, otherId))
      .thenRefuses('invalid_token');
    given(registered, linkSent, disabledAt(now)).when(verify(false)).thenRefuses('invalid_token');
  });

  it('ends every other code and link', () => {
    const { mailProofs, newEmailPii } = given(
      registered,
      linkSent,
      otpRequested,
      resetSent,
      changeSent,
    )
      .when(verify(false))
      .state();
    expect([mailProofs?.open, newEmailPii]).toEqual([{}, null]);
  });
});

describe('a link that replaces the password', () => {
  const reset = (resetAt = now) => ({ type: 'ResetPassword', now: resetAt, requestId }) as const;
  const completed: UserEvent[] = [
    { type: 'PasswordResetCompleted', data: { at: now } },
    { type: 'PasswordChanged', data: { at: now } },
    { type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'password_changed' } },
  ];

  it('raises the epoch', () => {
    given(proven, resetSent)
      .when(reset())
      .thenRecords(...completed);
  });

  it('also proves the address', () => {
    const outcome = given(registered, resetSent).when(reset());
    outcome.thenRecords(completed[0]!, verifiedNow(false)[0]!, ...completed.slice(1));
    expect(outcome.state()).toMatchObject({ emailVerified: true, hasPassword: true, epoch: 1 });
  });

  // Fails when a reset lifts what strangers did after it was asked for.
  it('clears failures from before the request, and no lock that is younger', () => {
    given(proven, ...failures(3, at - 1), resetSent)
      .when(reset())
      .thenRecords(...completed, { type: 'FailedChecksCleared', data: { at: now } });
    const outcome = given(
      proven,
      resetSent,
      ...failures(10, now - 1),
      lockedAt(now - 1, 1, 1),
    ).when(reset());
    outcome.thenRecords(...completed);
    expect(outcome.state().lockedUntil).toBe(now - 1 + minuteMs);
  });

  it('dies with a later password, address or disabling, and after half an hour', () => {
    const changed: UserEvent = { type: 'PasswordChanged', data: { at: now } };
    const moved: UserEvent = { type: 'EmailChanged', data: { at: now }, pii };
    for (const later of [changed, moved, disabledAt(now)]) {
      given(proven, resetSent, later).when(reset()).thenRefuses('invalid_token');
    }
    given(proven, resetSent)
      .when(reset(at + 1_800_000))
      .thenRefuses('invalid_token');
    given(proven, resetSent, ...completed)
      .when(reset())
      .thenRefuses('invalid_token');
  });
});

describe('a change of the address', () => {
  const request = (askedAt = at) =>
    ({ type: 'RequestEmailChange', now: askedAt, requestId, pii }) as const;
  const change = (changedAt = now, id = requestId) =>
    ({ type: 'ChangeEmail', now: changedAt, requestId: id, pii: place }) as const;

  it('waits for the link', () => {
    const outcome = given(proven).when(request());
    outcome.thenRecords(changeSent);
    expect(outcome.state()).toMatchObject({ newEmailPii: pii, emailVersion: 0 });
    given(proven, disabledAt(at)).when(request(now)).thenRefuses('forbidden');
    given(proven, changeSent).when(request(now)).thenRefuses('rate_limited', {
      retryAfterSeconds: 60,
    });
  });

  it('replaces the profile, and makes every code and link another one', () => {
    const outcome = given(proven, otpRequested, changeSent).when(change());
    outcome.thenRecords({ type: 'EmailChanged', data: { at: now }, pii: place });
    const state = outcome.state();
    expect(state).toMatchObject({ pii: place, newEmailPii: null, emailVersion: 1 });
    expect(state).toMatchObject({ emailVerified: true, hasPassword: true });
    expect(state.mailProofs?.open).toEqual({});
  });

  it('works once, in time, and not after another proof of the old address', () => {
    const moved: UserEvent = { type: 'EmailChanged', data: { at: now }, pii };
    given(proven, changeSent, moved).when(change()).thenRefuses('invalid_token');
    given(proven, changeSent)
      .when(change(at + 1_800_000))
      .thenRefuses('invalid_token');
    given(proven, changeSent).when(change(now, otherId)).thenRefuses('invalid_token');
    given(registered, changeSent, ...verifiedNow(false))
      .when(change())
      .thenRefuses('invalid_token');
  });
});

describe('a registration of a known address', () => {
  const repeat = (repeatedAt: number) =>
    ({ type: 'RepeatRegistration', now: repeatedAt, requestId }) as const;
  const noticed: UserEvent = { type: 'RegistrationRepeated', data: { at } };

  it('tells who has proven it, once an hour', () => {
    given(proven).when(repeat(at)).thenRecords(noticed);
    given(proven, noticed)
      .when(repeat(at + hourMs - 1))
      .thenRecords();
    given(proven, noticed)
      .when(repeat(at + hourMs))
      .thenRecords({ type: 'RegistrationRepeated', data: { at: at + hourMs } });
    given(proven, disabledAt(at)).when(repeat(now)).thenRecords();
  });

  it('sends who has not another link', () => {
    given(registered).when(repeat(at)).thenRecords(linkSent);
    given(registered, linkSent).when(repeat(now)).thenRecords();
  });

  it('leaves the mails that the user asks for alone', () => {
    given(proven, noticed)
      .when(ask('otp', at, requestId))
      .thenRecords(otpRequested);
    given(proven, otpRequested).when(repeat(at)).thenRecords(noticed);
  });
});
