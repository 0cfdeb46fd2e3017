import { accept, type Decider, type Decision, refuse } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { charactersInToken } from '../kernel/token-room.ts';
import type { UserEvent } from './events.ts';
import { isLocked, lockAfterFailure, lockedFailureIsDue } from './lockout.ts';
import { adminRole, isRoleName } from './roles.ts';
import { evolveUser, initialUser, type UserState } from './state.ts';

export interface RegisterUser {
  readonly type: 'RegisterUser';
  readonly now: number;
  readonly pii: Uint8Array;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  readonly roles: readonly string[];
}

export interface ChangeProfile {
  readonly type: 'ChangeProfile';
  readonly now: number;
  readonly pii: Uint8Array;
}

export interface ChangePassword {
  readonly type: 'ChangePassword';
  readonly now: number;
}

/**
 * `comparedWith`: the `passwordChangedAt` of the row whose hash was compared. Hashing takes long
 * enough for the password to change meanwhile; the outcome then says nothing, and the decision is
 * `conflict`.
 */
export interface CheckPassword {
  readonly type: 'CheckPassword';
  readonly now: number;
  readonly matches: boolean;
  readonly comparedWith?: number | null;
}

/** Logout everywhere: access tokens of a lower epoch are stale. */
export interface RaiseEpoch {
  readonly type: 'RaiseEpoch';
  readonly now: number;
}

export interface GrantRole {
  readonly type: 'GrantRole';
  readonly now: number;
  readonly role: string;
}

/** `otherActiveAdmins`: how many active users besides this one hold `latchkey:admin`. */
export interface RevokeRole {
  readonly type: 'RevokeRole';
  readonly now: number;
  readonly role: string;
  readonly otherActiveAdmins: number;
}

export interface DisableUser {
  readonly type: 'DisableUser';
  readonly now: number;
  readonly otherActiveAdmins: number;
}

export interface EnableUser {
  readonly type: 'EnableUser';
  readonly now: number;
}

export type UserCommand =
  | RegisterUser
  | ChangeProfile
  | ChangePassword
  | CheckPassword
  | RaiseEpoch
  | GrantRole
  | RevokeRole
  | DisableUser
  | EnableUser;

/** Throws `conflict`, `forbidden`, `invalid_credentials`, `invalid_request`, `not_found`. */
export const userDecider: Decider<UserState, UserCommand, UserEvent> = {
  initialState: initialUser,
  evolve: evolveUser,
  decide: decideUser,
};

export function decideUser(state: UserState, command: UserCommand): Decision<UserEvent> {
  if (command.type === 'RegisterUser') return register(state, command);
  if (command.type === 'CheckPassword') return checkPassword(state, command);
  if (state.status === 'none') throw new LatchkeyError('not_found');
  const at = command.now;
  switch (command.type) {
    case 'ChangeProfile':
      requireActive(state);
      return accept({ type: 'ProfileChanged', data: { at }, pii: command.pii });
    case 'ChangePassword':
      requireActive(state);
      return accept(
        { type: 'PasswordChanged', data: { at } },
        {
          type: 'UserEpochRaised',
          data: { at, epoch: state.epoch + 1, cause: 'password_changed' },
        },
      );
    case 'RaiseEpoch':
      return accept({
        type: 'UserEpochRaised',
        data: { at, epoch: state.epoch + 1, cause: 'logout_everywhere' },
      });
    case 'GrantRole':
      return grantRole(state, command);
    case 'RevokeRole':
      if (!state.roles.includes(command.role)) return accept();
      if (command.role === adminRole) requireOtherAdmin(state, command.otherActiveAdmins);
      return accept({
        type: 'RoleRevoked',
        data: { at, role: command.role, epoch: state.epoch + 1 },
      });
    case 'DisableUser':
      if (state.status === 'disabled') return accept();
      if (state.roles.includes(adminRole)) requireOtherAdmin(state, command.otherActiveAdmins);
      return accept({ type: 'UserDisabled', data: { at, epoch: state.epoch + 1 } });
    case 'EnableUser':
      return state.status === 'active' ? accept() : accept({ type: 'UserEnabled', data: { at } });
  }
}

function register(state: UserState, command: RegisterUser): Decision<UserEvent> {
  if (state.status !== 'none') throw new LatchkeyError('conflict');
  const roles = [...new Set(command.roles)].sort();
  for (const role of roles) requireRoleName(role);
  requireRoomForRoles(roles);
  return accept({
    type: 'UserRegistered',
    data: {
      at: command.now,
      emailVerified: command.emailVerified,
      hasPassword: command.hasPassword,
      roles,
    },
    pii: command.pii,
  });
}

function checkPassword(state: UserState, command: CheckPassword): Decision<UserEvent> {
  const { now: at, matches, comparedWith } = command;
  if (state.status !== 'active') throw new LatchkeyError('invalid_credentials');
  if (comparedWith !== undefined && comparedWith !== state.passwordChangedAt) {
    throw new LatchkeyError('conflict', { detail: 'the password changed during the check' });
  }
  if (matches && !state.hasPassword) throw new Error('a password matched where there is none');
  const failed: UserEvent = { type: 'PasswordCheckFailed', data: { at } };
  if (isLocked(state, at)) {
    if (matches || !lockedFailureIsDue(state, at)) throw new LatchkeyError('invalid_credentials');
    return refuse('invalid_credentials', failed);
  }
  if (!matches) {
    const lock = lockAfterFailure(state, at);
    if (lock === null) return refuse('invalid_credentials', failed);
    const locked: UserEvent = { type: 'UserLocked', data: { at, ...lock } };
    return refuse<UserEvent>('invalid_credentials', failed, locked);
  }
  if (state.failedChecks === 0) return accept();
  return accept({ type: 'FailedChecksCleared', data: { at } });
}

function grantRole(state: UserState, command: GrantRole): Decision<UserEvent> {
  requireRoleName(command.role);
  if (state.roles.includes(command.role)) return accept();
  requireRoomForRoles([...state.roles, command.role]);
  return accept({
    type: 'RoleGranted',
    data: { at: command.now, role: command.role, epoch: state.epoch + 1 },
  });
}

function requireActive(state: UserState): void {
  if (state.status !== 'active') throw new LatchkeyError('forbidden', { detail: 'disabled user' });
}

function requireOtherAdmin(state: UserState, otherActiveAdmins: number): void {
  if (state.status === 'active' && otherActiveAdmins === 0) {
    throw new LatchkeyError('conflict', { detail: 'the last administrator stays' });
  }
}

function requireRoleName(role: string): void {
  if (isRoleName(role)) return;
  throw refusedRole('not a role that can be granted');
}

/** Every role stands in every access token of the user, and a token has a size that all accept. */
function requireRoomForRoles(roles: readonly string[]): void {
  const { rolesPerUserMax, tokenRolesCharactersMax } = limits;
  if (roles.length > rolesPerUserMax) {
    throw refusedRole(`a user has at most ${rolesPerUserMax} roles`);
  }
  if (charactersInToken(roles) > tokenRolesCharactersMax) {
    throw refusedRole(
      `the roles of a user, each counted with 3 more characters, have at most ${tokenRolesCharactersMax} characters`,
    );
  }
}

function refusedRole(message: string): LatchkeyError {
  return new LatchkeyError('invalid_request', { errors: [{ path: 'role', message }] });
}
