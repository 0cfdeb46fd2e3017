import { describe, expect, it } from 'vitest';
import { type UserCommand, userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { openProof } from '../../../src/domain/user/mail-proofs.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  checkAt,
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
const at = registeredAt + minuteMs;
const now = at + 1000;
const requestId = 'the request';
const otherId = 'another request';

/** A user whose address was proven long ago. */
const proven: UserEvent = {
  type: 'UserRegistered',
  data: { at: registeredAt, emailVerified: true, hasPassword: true, roles: [] },
  pii,
};

function opened<T extends UserEvent['type']>(type: T, openedAt = at, id = requestId) {
  const seconds = type === 'OtpRequested' ? 600 : 1_800;
  const data = { at: openedAt, requestId: id, expiresAt: openedAt + seconds * 1000 };
  return { type, data } as unknown as Extract<UserEvent, { readonly type: T }>;
}
const otpRequested = opened('OtpRequested');
const linkSent = opened('EmailVerificationRequested');
const resetSent = opened('PasswordResetRequested');
const changeSent = { ...opened('EmailChangeRequested'), pii };

type Ask = Extract<UserCommand, { readonly type: 'RequestMailProof' }>;
const ask = (purpose: Ask['purpose'], askedAt = now, id = otherId): Ask => ({
  type: 'RequestMailProof',
  now: askedAt,
  purpose,
  requestId: id,
});
const code = (matches: boolean, checkedAt = now, id = requestId) =>
  ({
    type: 'CheckOtp',
    now: checkedAt,
    requestId: id,
    matches,
    device: null,
    pii: place,
  }) as const;
const codeFailedAt = (failedAt: number, id = requestId): UserEvent => ({
  type: 'OtpCheckFailed',
  data: { at: failedAt, requestId: id },
  pii: place,
});
const consumed: UserEvent = { type: 'OtpConsumed', data: { at: now, requestId } };
const verifiedNow = (keepsPassword: boolean): UserEvent[] => [
  { type: 'EmailVerified', data: { at: now, keepsPassword } },
  { type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'email_verified' } },
];

describe('a request for a code or a link', () => {
  it('records until when it is good', () => {
    given(registered)
      .when(ask('otp', at, requestId))
      .thenRecords(otpRequested);
    given(registered)
      .when(ask('verification', at, requestId))
      .thenRecords(linkSent);
    given(registered)
      .when(ask('reset', at, requestId))
      .thenRecords(resetSent);
  });

  it('records nothing where no mail may go out', () => {
    given(proven).when(ask('verification')).thenRecords();
    given(registered, disabledAt(at)).when(ask('otp')).thenRecords();
    given(registered, otpRequested)
      .when(ask('otp', at + 29_999))
      .thenRecords();
  });

  it('replaces the request before it after half a minute', () => {
    const later = at + 30_000;
    const { mailProofs } = given(registered, otpRequested).when(ask('otp', later)).state();
    expect(openProof(mailProofs, 'otp', later)?.requestId).toBe(otherId);
    given(registered, otpRequested, opened('OtpRequested', later, otherId))
      .when(code(true, later + 1000))
      .thenRecordsAndRefuses('invalid_credentials', codeFailedAt(later + 1000));
  });

  it('stands beside a request for another purpose', () => {
    given(registered, otpRequested)
      .when(ask('reset'))
      .thenRecords(opened('PasswordResetRequested', now, otherId));
  });

  // Fails when strangers can fill a mailbox.
  it('is one of ten in an hour, of all purposes', () => {
    const ten = Array.from({ length: 10 }, (_, n) => {
      const type = n % 2 === 0 ? 'OtpRequested' : 'PasswordResetRequested';
      return opened(type, at + n * minuteMs, `request ${n}`);
    });
    const last = at + 11 * minuteMs;
    given(registered, ...ten)
      .when(ask('otp', last))
      .thenRecords();
    given(registered, ...ten)
      .when(ask('otp', at + hourMs))
      .thenRecords(opened('OtpRequested', at + hourMs, otherId));
  });
});

describe('a code', () => {
  it('is accepted once', () => {
    given(proven, otpRequested).when(code(true)).thenRecords(consumed);
    given(proven, otpRequested, consumed)
      .when(code(true))
      .thenRecordsAndRefuses('invalid_credentials', codeFailedAt(now));
  });

  it('proves the address, and ends what was made before', () => {
    const outcome = given(registered, otpRequested).when(code(true));
    outcome.thenRecords(consumed, ...verifiedNow(false));
    expect(outcome.state()).toMatchObject({
      emailVerified: true,
      hasPassword: false,
      passwordChangedAt: null,
      epoch: 1,
      devices: { epoch: 1, failures: [] },
    });
  });

  it('is refused and counted when it is wrong, late, or of another request', () => {
    const events = [proven, otpRequested];
    given(...events)
      .when(code(false))
      .thenRecordsAndRefuses('invalid_credentials', codeFailedAt(now));
    given(...events)
      .when(code(true, at + 600_000))
      .thenRecordsAndRefuses('invalid_credentials', codeFailedAt(at + 600_000));
    given(...events)
      .when(code(true, now, otherId))
      .thenRecordsAndRefuses('invalid_credentials', codeFailedAt(now, otherId));
  });

  it('is good for five tries', () => {
    const tries = (count: number) => Array.from({ length: count }, (_, n) => codeFailedAt(at + n));
    given(proven, otpRequested, ...tries(4))
      .when(code(true))
      .thenRecords({ type: 'FailedChecksCleared', data: { at: now } }, consumed);
    given(proven, otpRequested, ...tries(5))
      .when(code(true))
      .thenRecordsAndRefuses('invalid_credentials', codeFailedAt(now));
  });

  // Fails when each request or each factor has ten tries of its own.
  it('counts with the passwords, and over all requests', () => {
    const locked: UserEvent = {
      type: 'UserLocked',
      data: { at: now, until: now + minuteMs, lockCount: 1 },
      pii: place,
    };
    const nine = failures(9, at);
    given(proven, otpRequested, ...nine)
      .when(code(false))
      .thenRecordsAndRefuses('invalid_credentials', codeFailedAt(now), locked);
    const codes = Array.from({ length: 9 }, (_, n) => codeFailedAt(at, `request ${n}`));
    given(proven, ...codes)
      .when(checkAt(now, false))
      .thenRecordsAndRefuses(
        'invalid_credentials',
        { type: 'PasswordCheckFailed', data: { at: now }, pii: place },
        locked,
      );
  });

  it('is refused while the user is locked, and by a disabled user', () => {
    given(proven, ...failures(10, at - 1), lockedAt(at - 1, 1, 1), otpRequested)
      .when(code(true))
      .thenRefuses('invalid_credentials');
    given(proven, otpRequested, disabledAt(at)).when(code(true)).thenRefuses('invalid_credentials');
    given().when(code(true)).thenRefuses('not_found');
  });

  it('of a known device counts apart', () => {
    const device = { id: 'a device', epoch: 0 };
    given(proven, ...failures(10, at - 1), lockedAt(at - 1, 1, 1), otpRequested)
      .when({ ...code(true), device })
      .thenRecords(consumed);
    given(proven, otpRequested)
      .when({ ...code(false), device })
      .thenRecordsAndRefuses('invalid_credentials', {
        type: 'OtpCheckFailed',
        data: { at: now, requestId, deviceId: 'a device' },
        pii: place,
      });
  });
});

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

/**
 * 10,000 tries over 200 requests for codes, all of one user: how many are compared with a code that
 * is open. The chance to get in is that number in a million (docs/mail-proofs.md).
 */
it('compares few of ten thousand guesses with a code that is open', () => {
  let state = userDecider.evolve(userDecider.initialState, proven);
  let compared = 0;
  let clock = at;
  const run = (command: UserCommand) => {
    const { events } = userDecider.decide(state, command);
    state = events.reduce(userDecider.evolve, state);
  };
  for (let request = 0; request < 200; request += 1) {
    clock += 31_000;
    run(ask('otp', clock, `request ${request}`));
    for (let n = 0; n < 50; n += 1) {
      const open = openProof(state.mailProofs, 'otp', clock);
      const isLocked = state.lockedUntil !== null && clock < state.lockedUntil;
      if (open !== null && open.failures < 5 && !isLocked) compared += 1;
      try {
        run(code(false, clock, `request ${request}`));
      } catch {}
      clock += 20;
    }
  }
  console.log(`${compared} of 10,000 guesses over ${(clock - at) / minuteMs} minutes compared`);
  expect(compared).toBeGreaterThan(5);
  expect(compared).toBeLessThanOrEqual(20);
});
