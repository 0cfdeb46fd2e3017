import { describe, expect, it } from 'vitest';
import { type UserCommand, userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { openProof } from '../../../src/domain/user/mail-proofs.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  ask,
  at,
  code,
  codeFailedAt,
  consumed,
  linkSent,
  now,
  opened,
  otherId,
  otpRequested,
  proven,
  requestId,
  resetSent,
  verifiedNow,
} from './mail-requests.ts';
import {
  checkAt,
  disabledAt,
  failures,
  hourMs,
  lockedAt,
  minuteMs,
  place,
  registered,
} from './users.ts';

const { given } = specificationFor(userDecider);

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
