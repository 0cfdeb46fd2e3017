import { describe, expect, it } from 'vitest';
import type { CheckPassword } from '../../../src/domain/user/check-password.ts';
import { userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  checkAt,
  disabledAt,
  failures,
  hourMs,
  lockedAt,
  minuteMs,
  place,
  registered,
  registeredAt,
} from './users.ts';

const { given } = specificationFor(userDecider);
const now = registeredAt + hourMs;
const dayMs = 24 * hourMs;

const check = (at: number, matches: boolean, id = 'laptop', epoch = 0): CheckPassword => ({
  ...checkAt(at, matches),
  device: { id, epoch },
});
const failedOn = (deviceId: string, at: number): UserEvent => ({
  type: 'PasswordCheckFailed',
  data: { at, deviceId },
  pii: place,
});
const failuresOn = (deviceId: string, count: number, at: number) =>
  Array.from({ length: count }, () => failedOn(deviceId, at));
const lockedOn = (deviceId: string, at: number, minutes: number, lockCount: number): UserEvent => ({
  type: 'DeviceLocked',
  data: { at, until: at + minutes * minuteMs, lockCount, deviceId },
  pii: place,
});
const lockedByStrangers = [registered, ...failures(10, now), lockedAt(now, 60, 7)];

describe('a device that has logged in before', () => {
  // Fails when the count of strangers is asked for every check.
  it('B8: is let in while strangers have locked the user', () => {
    given(...lockedByStrangers)
      .when(checkAt(now + 1, true))
      .thenRefuses('invalid_credentials');
    given(...lockedByStrangers)
      .when(check(now + 1, true))
      .thenRecords();
  });

  it('B8: counts its failures apart, and its success clears nobody else’s', () => {
    given(...lockedByStrangers)
      .when(check(now + 1, false))
      .thenRecordsAndRefuses('invalid_credentials', failedOn('laptop', now + 1));
    const both = [...lockedByStrangers, failedOn('laptop', now), failedOn('phone', now)];
    given(...both)
      .when(check(now + 1, true))
      .thenRecords({ type: 'FailedChecksCleared', data: { at: now + 1, deviceId: 'laptop' } });
    const after = given(...both, {
      type: 'FailedChecksCleared',
      data: { at: now + 1, deviceId: 'laptop' },
    })
      .when(check(now + 2, true, 'laptop'))
      .state();
    expect(after.lockedUntil).toBe(now + hourMs);
    expect(after.devices.failures.map(({ deviceId }) => deviceId)).toEqual(['phone']);
  });

  // Fails when a device's failures are not counted: its thief would have tries without end.
  it('B8: has a lock of its own after ten failures, doubling, which keeps nobody else out', () => {
    const failed = failuresOn('laptop', 9, now - 1);
    given(registered, ...failed)
      .when(check(now, false))
      .thenRecordsAndRefuses(
        'invalid_credentials',
        failedOn('laptop', now),
        lockedOn('laptop', now, 1, 1),
      );
    const locked = [registered, ...failed, failedOn('laptop', now), lockedOn('laptop', now, 1, 1)];
    given(...locked)
      .when(check(now + 1, true))
      .thenRefuses('invalid_credentials');
    given(...locked)
      .when(check(now + 1, true, 'phone'))
      .thenRecords();
    given(...locked)
      .when(checkAt(now + 1, true))
      .thenRecords();
    given(...locked)
      .when(check(now + minuteMs, false))
      .thenRecordsAndRefuses(
        'invalid_credentials',
        failedOn('laptop', now + minuteMs),
        lockedOn('laptop', now + minuteMs, 2, 2),
      );
  });

  it('B8: records a failure while its lock lasts at most once an hour', () => {
    const locked = [registered, ...failuresOn('laptop', 10, now), lockedOn('laptop', now, 120, 1)];
    given(...locked)
      .when(check(now + hourMs - 1, false))
      .thenRefuses('invalid_credentials');
    given(...locked)
      .when(check(now + hourMs, false))
      .thenRecordsAndRefuses('invalid_credentials', failedOn('laptop', now + hourMs));
  });

  // Fails when a forgotten device still has a count of its own.
  it('B8: is a stranger after a changed password, a logout everywhere and a disabled user', () => {
    const forgetting: UserEvent[][] = [
      [
        { type: 'PasswordChanged', data: { at: now } },
        { type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'password_changed' } },
      ],
      [{ type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'logout_everywhere' } }],
      [disabledAt(now), { type: 'UserEnabled', data: { at: now } }],
    ];
    for (const events of forgetting) {
      given(...lockedByStrangers, ...events)
        .when(check(now + 1, true))
        .thenRefuses('invalid_credentials');
      given(...lockedByStrangers, ...events)
        .when(check(now + 1, true, 'laptop', 1))
        .thenRecords();
    }
  });

  // Fails when failures of more devices than can hold a token are kept, or push one another out.
  it('B8: counts as a stranger when twenty others have failed within a day', () => {
    const twenty = Array.from({ length: 20 }, (_, index) => failedOn(`device ${index}`, now));
    given(registered, ...twenty)
      .when(check(now + 1, false))
      .thenRecordsAndRefuses('invalid_credentials', {
        type: 'PasswordCheckFailed',
        data: { at: now + 1 },
        pii: place,
      });
    const { devices } = given(registered, ...twenty)
      .when(check(now + dayMs, false))
      .state();
    expect(devices.failures.map(({ deviceId }) => deviceId)).toEqual(['laptop']);
  });
});

describe('an administrator', () => {
  const unlocked: UserEvent = { type: 'UserUnlocked', data: { at: now + 1 } };
  const locked = [
    ...lockedByStrangers,
    ...failuresOn('laptop', 10, now),
    lockedOn('laptop', now, 1, 1),
  ];

  it('B8: lifts every lock and forgets the failures', () => {
    given(...locked)
      .when({ type: 'UnlockUser', now: now + 1 })
      .thenRecords(unlocked);
    given(...locked, unlocked)
      .when(checkAt(now + 2, true))
      .thenRecords();
    given(...locked, unlocked)
      .when(check(now + 2, true))
      .thenRecords();
    given(...locked, unlocked)
      .when({ type: 'UnlockUser', now: now + 2 })
      .thenRecords();
    given(registered, failedOn('laptop', now))
      .when({ type: 'UnlockUser', now: now + 1 })
      .thenRecords(unlocked);
    given().when({ type: 'UnlockUser', now }).thenRefuses('not_found');
  });

  // Fails when enabling leaves the lock: nothing but time would then let the user in.
  it('B8: lifts them with the enabling of a disabled user as well', () => {
    given(...locked, disabledAt(now))
      .when({ type: 'EnableUser', now: now + 1 })
      .thenRecords({ type: 'UserEnabled', data: { at: now + 1 } }, unlocked);
    given(registered, disabledAt(now))
      .when({ type: 'EnableUser', now: now + 1 })
      .thenRecords({ type: 'UserEnabled', data: { at: now + 1 } });
  });
});
