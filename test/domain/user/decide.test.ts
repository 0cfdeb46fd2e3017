import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { type RegisterUser, userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { evolveUser } from '../../../src/domain/user/evolve.ts';
import { initialUser } from '../../../src/domain/user/state.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import { disabledAt, pii, registered, registeredAt, registeredWith } from './users.ts';

const { given } = specificationFor(userDecider);
const now = registeredAt + 1000;
const admin = registeredWith('latchkey:admin');
const register: RegisterUser = {
  type: 'RegisterUser',
  now: registeredAt,
  pii,
  emailVerified: false,
  hasPassword: true,
  roles: [],
};

describe('registering a user', () => {
  it('records the user', () => {
    given().when(register).thenRecords(registered);
  });

  it('happens once', () => {
    given(registered).when(register).thenRefuses('conflict');
  });

  it('keeps each role once, in order', () => {
    given()
      .when({ ...register, roles: ['editor', 'admin', 'editor'] })
      .thenRecords(registeredWith('admin', 'editor'));
  });

  it('refuses a role that cannot be granted, and too many', () => {
    given()
      .when({ ...register, roles: ['latchkey:root'] })
      .thenRefuses('invalid_request');
    const many = Array.from({ length: limits.rolesPerUserMax + 1 }, (_, index) => `role-${index}`);
    given()
      .when({ ...register, roles: many })
      .thenRefuses('invalid_request', {
        errors: [{ path: 'role', message: 'a user has at most 100 roles' }],
      });
    expect(
      given()
        .when({ ...register, roles: many.slice(1) })
        .state().roles,
    ).toHaveLength(limits.rolesPerUserMax);
  });
});

describe('a profile', () => {
  it('changes as a whole', () => {
    const changed = new Uint8Array([9]);
    given(registered)
      .when({ type: 'ChangeProfile', now, pii: changed })
      .thenRecords({ type: 'ProfileChanged', data: { at: now }, pii: changed });
    const outcome = given(registered).when({ type: 'ChangeProfile', now, pii: changed });
    expect(outcome.state().pii).toBe(changed);
  });

  it('stays as it was where the change of an erased user lost its ciphertext', () => {
    const erased: UserEvent = { type: 'ProfileChanged', data: { at: now } };
    expect(evolveUser(evolveUser(initialUser, registered), erased).pii).toBe(pii);
  });

  it('is not for a disabled user to change', () => {
    given(registered, disabledAt(now))
      .when({ type: 'ChangeProfile', now, pii })
      .thenRefuses('forbidden');
  });
});

describe('a changed password', () => {
  // Fails when ChangePassword no longer raises the epoch: tokens from before would stay good.
  it('makes every access token from before stale', () => {
    given(registered)
      .when({ type: 'ChangePassword', now })
      .thenRecords(
        { type: 'PasswordChanged', data: { at: now } },
        { type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'password_changed' } },
      );
  });

  it('is not for a disabled user', () => {
    given(registered, disabledAt(now))
      .when({ type: 'ChangePassword', now })
      .thenRefuses('forbidden');
  });
});

describe('logout everywhere', () => {
  it('raises the epoch by one each time', () => {
    const raised = (epoch: number): UserEvent => ({
      type: 'UserEpochRaised',
      data: { at: now, epoch, cause: 'logout_everywhere' },
    });
    given(registered).when({ type: 'RaiseEpoch', now }).thenRecords(raised(1));
    given(registered, raised(1)).when({ type: 'RaiseEpoch', now }).thenRecords(raised(2));
  });
});

describe('granting a role', () => {
  it('is recorded once', () => {
    const granted: UserEvent = { type: 'RoleGranted', data: { at: now, role: 'editor', epoch: 1 } };
    given(registered).when({ type: 'GrantRole', now, role: 'editor' }).thenRecords(granted);
    given(registered, granted).when({ type: 'GrantRole', now, role: 'editor' }).thenRecords();
  });

  it('keeps the roles in order', () => {
    const outcome = given(registeredWith('editor')).when({ type: 'GrantRole', now, role: 'a' });
    expect(outcome.state().roles).toStrictEqual(['a', 'editor']);
  });

  it('takes free names and the two reserved ones', () => {
    for (const role of ['admin', 'billing.read', 'team:7/owner', 'A', 'r'.repeat(64)]) {
      given(registered)
        .when({ type: 'GrantRole', now, role })
        .thenRecords({ type: 'RoleGranted', data: { at: now, role, epoch: 1 } });
    }
    for (const role of ['latchkey:admin', 'latchkey:auditor']) {
      given(registered)
        .when({ type: 'GrantRole', now, role })
        .thenRecords({ type: 'RoleGranted', data: { at: now, role, epoch: 1 } });
    }
  });

  // Fails when `isRoleName` does not guard the `latchkey:` namespace, in whatever case.
  it('refuses any other name in the reserved namespace', () => {
    for (const role of ['latchkey:', 'latchkey:root', 'Latchkey:admin', 'LATCHKEY:AUDITOR']) {
      given(registered).when({ type: 'GrantRole', now, role }).thenRefuses('invalid_request');
    }
  });

  // Fails when `rolePattern` lets a separator or a control character through: X-Auth-Roles is a
  // list in a header.
  it('refuses what could not stand in a header list', () => {
    for (const role of ['', ' ', 'a b', 'a,b', 'a\r\nb', '-a', 'rôle', 'a\0', 'r'.repeat(65)]) {
      given(registered).when({ type: 'GrantRole', now, role }).thenRefuses('invalid_request');
    }
  });

  it('stops at the most roles that a token may carry', () => {
    const many = Array.from({ length: limits.rolesPerUserMax }, (_, index) => `role-${index}`);
    given(registeredWith(...many))
      .when({ type: 'GrantRole', now, role: 'one-more' })
      .thenRefuses('invalid_request');
    given(registeredWith(...many))
      .when({ type: 'GrantRole', now, role: 'role-0' })
      .thenRecords();
  });

  // Fails when the characters of the roles are not counted, or no more than their number is.
  it('stops where the roles would fill a token, to the last character', () => {
    const length = limits.roleCharactersMax;
    const held = Array.from({ length: 30 }, (_, index) => `${index + 10}`.padEnd(length, 'r'));
    const left = limits.tokenRolesCharactersMax - 30 * (length + 3) - 3;
    given(registeredWith(...held))
      .when({ type: 'GrantRole', now, role: 'x'.repeat(left) })
      .thenRecords({ type: 'RoleGranted', data: { at: now, role: 'x'.repeat(left), epoch: 1 } });
    given(registeredWith(...held))
      .when({ type: 'GrantRole', now, role: 'x'.repeat(left + 1) })
      .thenRefuses('invalid_request', {
        errors: [{ path: 'role', message: expect.stringContaining('at most 2048 characters') }],
      });
  });

  it('says which field is wrong', () => {
    const errors = [{ path: 'role', message: 'not a role that can be granted' }];
    given(registered).when({ type: 'GrantRole', now, role: '' }).thenRefuses('invalid_request', {
      errors,
    });
  });
});

describe('revoking a role', () => {
  // Fails when RoleRevoked keeps the epoch: tokens would carry the role until they expire.
  it('makes the tokens that carry it stale', () => {
    given(registeredWith('editor'))
      .when({ type: 'RevokeRole', now, role: 'editor', otherActiveAdmins: 0 })
      .thenRecords({ type: 'RoleRevoked', data: { at: now, role: 'editor', epoch: 1 } });
    const outcome = given(registeredWith('auditor', 'editor')).when({
      type: 'RevokeRole',
      now,
      role: 'editor',
      otherActiveAdmins: 0,
    });
    expect(outcome.state()).toMatchObject({ roles: ['auditor'], epoch: 1 });
  });

  it('is nothing where the user does not have it', () => {
    given(registered)
      .when({ type: 'RevokeRole', now, role: 'latchkey:admin', otherActiveAdmins: 0 })
      .thenRecords();
  });
});

describe('the last administrator', () => {
  // Fails when `requireOtherAdmin` is not asked in RevokeRole.
  it('cannot be demoted', () => {
    given(admin)
      .when({ type: 'RevokeRole', now, role: 'latchkey:admin', otherActiveAdmins: 0 })
      .thenRefuses('conflict');
    given(admin)
      .when({ type: 'RevokeRole', now, role: 'latchkey:admin', otherActiveAdmins: 1 })
      .thenRecords({ type: 'RoleRevoked', data: { at: now, role: 'latchkey:admin', epoch: 1 } });
  });

  // Fails when `requireOtherAdmin` is not asked in DisableUser.
  it('cannot be disabled', () => {
    given(admin).when({ type: 'DisableUser', now, otherActiveAdmins: 0 }).thenRefuses('conflict');
    given(admin)
      .when({ type: 'DisableUser', now, otherActiveAdmins: 1 })
      .thenRecords(disabledAt(now));
  });

  it('may lose any other role', () => {
    given(registeredWith('editor', 'latchkey:admin'))
      .when({ type: 'RevokeRole', now, role: 'editor', otherActiveAdmins: 0 })
      .thenRecords({ type: 'RoleRevoked', data: { at: now, role: 'editor', epoch: 1 } });
  });

  it('is not a disabled one: demoting it leaves as many as before', () => {
    given(admin, disabledAt(now))
      .when({ type: 'RevokeRole', now, role: 'latchkey:admin', otherActiveAdmins: 0 })
      .thenRecords({ type: 'RoleRevoked', data: { at: now, role: 'latchkey:admin', epoch: 2 } });
  });
});

describe('disabling a user', () => {
  it('makes every access token stale, once', () => {
    given(registered)
      .when({ type: 'DisableUser', now, otherActiveAdmins: 0 })
      .thenRecords(disabledAt(now));
    given(registered, disabledAt(now))
      .when({ type: 'DisableUser', now, otherActiveAdmins: 0 })
      .thenRecords();
  });

  it('can be taken back, once, without making old tokens good again', () => {
    const enabled: UserEvent = { type: 'UserEnabled', data: { at: now } };
    const outcome = given(registered, disabledAt(now)).when({ type: 'EnableUser', now });
    outcome.thenRecords(enabled);
    expect(outcome.state()).toMatchObject({ status: 'active', epoch: 1 });
    given(registered).when({ type: 'EnableUser', now }).thenRecords();
  });
});

describe('a user who never was', () => {
  it('is not found', () => {
    given().when({ type: 'ChangeProfile', now, pii }).thenRefuses('not_found');
    given().when({ type: 'ChangePassword', now }).thenRefuses('not_found');
    given().when({ type: 'RaiseEpoch', now }).thenRefuses('not_found');
    given().when({ type: 'GrantRole', now, role: 'editor' }).thenRefuses('not_found');
    given()
      .when({ type: 'RevokeRole', now, role: 'editor', otherActiveAdmins: 1 })
      .thenRefuses('not_found');
    given().when({ type: 'DisableUser', now, otherActiveAdmins: 1 }).thenRefuses('not_found');
    given().when({ type: 'EnableUser', now }).thenRefuses('not_found');
  });
});
