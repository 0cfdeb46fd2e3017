import { describe, expect, it } from 'vitest';
import { userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  checkAt,
  disabledAt,
  failedAt,
  failures,
  hourMs,
  lockedAt,
  minuteMs,
  registered,
  registeredAt,
} from './users.ts';

const { given } = specificationFor(userDecider);
const now = registeredAt + hourMs;
const cleared = (at: number): UserEvent => ({ type: 'FailedChecksCleared', data: { at } });

describe('a password check', () => {
  it('that matches records nothing: a login has one event, and it is the session’s', () => {
    given(registered).when(checkAt(now, true)).thenRecords();
  });

  it('that fails is recorded, then refused', () => {
    given(registered)
      .when(checkAt(now, false))
      .thenRecordsAndRefuses('invalid_credentials', failedAt(now));
  });

  it('that matches after failures clears their count', () => {
    given(registered, failedAt(now - 1))
      .when(checkAt(now, true))
      .thenRecords(cleared(now));
    given(registered, failedAt(now - 1), cleared(now))
      .when(checkAt(now, true))
      .thenRecords();
  });

  // Fails when `checkPassword` does not look at the status.
  it('of a disabled user, or of none, is refused like a wrong one and not recorded', () => {
    for (const matches of [true, false]) {
      given(registered, disabledAt(now))
        .when(checkAt(now, matches))
        .thenRefuses('invalid_credentials');
      given().when(checkAt(now, matches)).thenRefuses('invalid_credentials');
    }
  });

  // Fails when `comparedWith` is ignored: the old password would log in after it was changed.
  it('says nothing once the password has changed during it', () => {
    const changed: UserEvent = { type: 'PasswordChanged', data: { at: now - 1 } };
    for (const matches of [true, false]) {
      given(registered, changed)
        .when({ ...checkAt(now, matches), comparedWith: registeredAt })
        .thenRefuses('conflict');
    }
    given(registered, changed)
      .when({ ...checkAt(now, true), comparedWith: now - 1 })
      .thenRecords();
  });

  it('cannot match where there is no password', () => {
    given({ ...registered, data: { ...registered.data, hasPassword: false } } as UserEvent)
      .when(checkAt(now, true))
      .thenBreaks(/where there is none/);
  });
});

describe('the lock', () => {
  // Fails when `failuresBeforeLock` is another number, or the failure that locks is not counted.
  it('comes with the tenth failure, not the ninth, for a minute', () => {
    given(registered, ...failures(8, now - 1000))
      .when(checkAt(now, false))
      .thenRecordsAndRefuses('invalid_credentials', failedAt(now));
    given(registered, ...failures(9, now - 1000))
      .when(checkAt(now, false))
      .thenRecordsAndRefuses('invalid_credentials', failedAt(now), lockedAt(now, 1, 1));
  });

  // Fails when `checkPassword` lets a match through before it asks `isLocked`.
  it('refuses the right password too, until its last millisecond', () => {
    const history = [registered, ...failures(10, now), lockedAt(now, 1, 1)];
    given(...history)
      .when(checkAt(now + minuteMs - 1, true))
      .thenRefuses('invalid_credentials');
    given(...history)
      .when(checkAt(now + minuteMs, true))
      .thenRecords(cleared(now + minuteMs));
  });

  // Fails when the lock's length does not depend on `lockCount`, or has no ceiling.
  it('doubles with each further failure, up to an hour', () => {
    let at = now;
    const history = [registered, ...failures(10, at), lockedAt(at, 1, 1)];
    const minutes: number[] = [];
    for (const [index, lasting] of [2, 4, 8, 16, 32, 60, 60].entries()) {
      at += 2 * hourMs;
      const locked = lockedAt(at, lasting, index + 2);
      given(...history)
        .when(checkAt(at, false))
        .thenRecordsAndRefuses('invalid_credentials', failedAt(at), locked);
      history.push(failedAt(at), locked);
      minutes.push(lasting);
    }
    expect(minutes).toHaveLength(7);
  });

  it('starts again at ten failures and one minute after the right password', () => {
    const afterLock = now + 2 * hourMs;
    const history = [
      registered,
      ...failures(10, now),
      lockedAt(now, 1, 1),
      cleared(now + hourMs),
      ...failures(8, afterLock - 1000),
    ];
    given(...history)
      .when(checkAt(afterLock, false))
      .thenRecordsAndRefuses('invalid_credentials', failedAt(afterLock));
    given(...history, failedAt(afterLock))
      .when(checkAt(afterLock + 1, false))
      .thenRecordsAndRefuses(
        'invalid_credentials',
        failedAt(afterLock + 1),
        lockedAt(afterLock + 1, 1, 1),
      );
  });

  // Fails when a failure while locked is recorded each time: guessing would grow the log.
  it('records a failure while it lasts at most once an hour', () => {
    const history = [registered, ...failures(10, now), lockedAt(now, 120, 1)];
    given(...history)
      .when(checkAt(now + 1, false))
      .thenRefuses('invalid_credentials');
    given(...history)
      .when(checkAt(now + hourMs - 1, false))
      .thenRefuses('invalid_credentials');
    given(...history)
      .when(checkAt(now + hourMs, false))
      .thenRecordsAndRefuses('invalid_credentials', failedAt(now + hourMs));
    given(...history, failedAt(now + hourMs))
      .when(checkAt(now + hourMs + 1, false))
      .thenRefuses('invalid_credentials');
  });

  // Fails when a failure while locked locks again: a stranger could keep the owner out for ever.
  it('is not extended by failures while it lasts', () => {
    const state = given(registered, ...failures(10, now), lockedAt(now, 120, 1))
      .when(checkAt(now + hourMs, false))
      .state();
    expect(state).toMatchObject({ lockedUntil: now + 120 * minuteMs, lockCount: 1 });
  });

  it('does not record the right password as a failure', () => {
    given(registered, ...failures(10, now), lockedAt(now, 120, 1))
      .when(checkAt(now + hourMs, true))
      .thenRefuses('invalid_credentials');
  });
});
