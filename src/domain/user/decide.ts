import { accept, type Decider, type Decision } from '../kernel/decider.ts';
import { invalidField, LatchkeyError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { charactersInToken } from '../kernel/token-room.ts';
import { changeSecondFactor, type SecondFactorChange } from './change-second-factor.ts';
import { type CheckPassword, checkPassword } from './check-password.ts';
import { checkSecondFactor, type SecondFactorCheck } from './check-second-factor.ts';
import { type EraseSubject, eraseSubject } from './erase-subject.ts';
import type { UserEvent } from './events.ts';
import { evolveUser } from './evolve.ts';
import { requireOtherAdmin } from './last-administrator.ts';
import { type MailProofCommand, proveByMail } from './prove-by-mail.ts';
import { adminRole, isRoleName } from './roles.ts';
import { initialUser, type UserState } from './state.ts';

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

/**
 * `otherActiveAdmins`: how many active users with a password besides this one hold
 * `latchkey:admin`.
 */
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

/** Lifts every lock, those of devices included, and forgets the failures that led to it. */
export interface UnlockUser {
  readonly type: 'UnlockUser';
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
  | EnableUser
  | UnlockUser
  | MailProofCommand
  | EraseSubject
  | SecondFactorCheck
  | SecondFactorChange;

/**
 * Throws `conflict`, `forbidden`, `invalid_credentials`, `invalid_request`, `invalid_token`,
 * `not_found`, `rate_limited`.
 */
export const userDecider: Decider<UserState, UserCommand, UserEvent> = {
  initialState: initialUser,
  evolve: evolveUser,
  decide: decideUser,
};

export function decideUser(state: UserState, command: UserCommand): Decision<UserEvent> {
  if (command.type === 'RegisterUser') return register(state, command);
  if (command.type === 'CheckPassword') return checkPassword(state, command);
  if (command.type === 'EraseSubject') return eraseSubject(state, command);
  if (state.status === 'none' || state.status === 'erased') throw new LatchkeyError('not_found');
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
      // An administrator who lets a user in again does not mean: once the lock has run out.
      if (state.status === 'active') return accept();
      return accept<UserEvent>({ type: 'UserEnabled', data: { at } }, ...unlock(state, at));
    case 'UnlockUser':
      return accept(...unlock(state, at));
    case 'CheckTotp':
    case 'CheckRecoveryCode':
      return checkSecondFactor(state, command);
    case 'EnrolTotp':
    case 'ConfirmTotp':
    case 'RemoveTotp':
    case 'IssueRecoveryCodes':
      return changeSecondFactor(state, command);
    default:
      return proveByMail(state, command);
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

function grantRole(state: UserState, command: GrantRole): Decision<UserEvent> {
  requireRoleName(command.role);
  if (state.roles.includes(command.role)) return accept();
  requireRoomForRoles([...state.roles, command.role]);
  return accept({
    type: 'RoleGranted',
    data: { at: command.now, role: command.role, epoch: state.epoch + 1 },
  });
}

function unlock(state: UserState, at: number): UserEvent[] {
  const isClean = state.failedChecks === 0 && state.devices.failures.length === 0;
  return isClean ? [] : [{ type: 'UserUnlocked', data: { at } }];
}

function requireActive(state: UserState): void {
  if (state.status !== 'active') throw new LatchkeyError('forbidden', { detail: 'disabled user' });
}

function requireRoleName(role: string): void {
  if (isRoleName(role)) return;
  throw invalidField('role', 'not a role that can be granted');
}

/** Every role stands in every access token of the user, and a token has a size that all accept. */
function requireRoomForRoles(roles: readonly string[]): void {
  const { rolesPerUserMax, tokenRolesCharactersMax } = limits;
  if (roles.length > rolesPerUserMax) {
    throw invalidField('role', `a user has at most ${rolesPerUserMax} roles`);
  }
  if (charactersInToken(roles) > tokenRolesCharactersMax) {
    throw invalidField(
      'role',
      `the roles of a user, each counted with 3 more characters, have at most ${tokenRolesCharactersMax} characters`,
    );
  }
}
