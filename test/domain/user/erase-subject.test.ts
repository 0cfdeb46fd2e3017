import { describe, expect, it } from 'vitest';
import { userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { initialUser } from '../../../src/domain/user/state.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  checkAt,
  disabledAt,
  failedAt,
  lockedAt,
  pii,
  registered,
  registeredAt,
  registeredWith,
} from './users.ts';

const { given } = specificationFor(userDecider);
const now = registeredAt + 1000;
const erase = { type: 'EraseSubject', now, otherActiveAdmins: 1 } as const;
const erasedAt = (at: number, epoch = 1): UserEvent => ({
  type: 'SubjectErased',
  data: { at, epoch },
});
const admin = registeredWith('latchkey:admin');

describe('erasing a user', () => {
  it('records it, and raises the epoch', () => {
    given(registered).when(erase).thenRecords(erasedAt(now));
  });

  it('leaves nothing but a tombstone', () => {
    const state = given(
      registeredWith('editor'),
      failedAt(now),
      lockedAt(now, 1, 1),
      { type: 'PasswordChanged', data: { at: now } },
      { type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'password_changed' } },
    )
      .when(erase)
      .state();
    expect(state).toEqual({
      ...initialUser,
      status: 'erased',
      registeredAt,
      epoch: 2,
      // What a device token was good for ended twice.
      devices: { epoch: 2, failures: [] },
      erasedAt: now,
    });
  });

  it('changes nothing the second time', () => {
    given(registered, erasedAt(now)).when(erase).thenRecords();
  });

  it('is for nobody who never was', () => {
    given().when(erase).thenRefuses('not_found');
  });

  it('is possible for a user who is locked or disabled', () => {
    given(registered, lockedAt(now, 1, 1))
      .when(erase)
      .thenRecords(erasedAt(now));
    given(registered, disabledAt(now)).when(erase).thenRecords(erasedAt(now, 2));
  });

  // Fails when an administrator leaves whom nobody can replace.
  it('keeps the last administrator who can log in', () => {
    const last = { ...erase, otherActiveAdmins: 0 };
    given(admin).when(last).thenRefuses('conflict');
    given(admin).when(erase).thenRecords(erasedAt(now));
    given(registered).when(last).thenRecords(erasedAt(now));
    given(admin, disabledAt(now)).when(last).thenRecords(erasedAt(now, 2));
  });
});

describe('an erased user', () => {
  const erased = [registered, erasedAt(now)] as const;

  it.each([
    { type: 'ChangeProfile', now, pii },
    { type: 'ChangePassword', now },
    { type: 'RaiseEpoch', now },
    { type: 'GrantRole', now, role: 'editor' },
    { type: 'RevokeRole', now, role: 'editor', otherActiveAdmins: 1 },
    { type: 'DisableUser', now, otherActiveAdmins: 1 },
    { type: 'EnableUser', now },
    { type: 'UnlockUser', now },
  ] as const)('cannot be changed by $type', (command) => {
    given(...erased)
      .when(command)
      .thenRefuses('not_found');
  });

  it('cannot log in, and counts no wrong password', () => {
    given(...erased)
      .when(checkAt(now, false))
      .thenRefuses('invalid_credentials');
  });

  it('cannot be registered again', () => {
    given(...erased)
      .when({
        type: 'RegisterUser',
        now,
        pii,
        emailVerified: false,
        hasPassword: true,
        roles: [],
      })
      .thenRefuses('conflict');
  });
});
