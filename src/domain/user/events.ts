import type { DomainEvent } from '../kernel/event.ts';

/**
 * pii of UserRegistered and ProfileChanged: the whole profile {email, name?, phone_number?,
 * picture?}. Times: epoch ms.
 */
export type UserRegistered = DomainEvent<
  'UserRegistered',
  { at: number; emailVerified: boolean; hasPassword: boolean; roles: string[] }
>;
export type ProfileChanged = DomainEvent<'ProfileChanged', { at: number }>;
export type PasswordChanged = DomainEvent<'PasswordChanged', { at: number }>;
export type PasswordCheckFailed = DomainEvent<'PasswordCheckFailed', { at: number }>;
export type UserLocked = DomainEvent<
  'UserLocked',
  { at: number; until: number; lockCount: number }
>;
export type FailedChecksCleared = DomainEvent<'FailedChecksCleared', { at: number }>;
/** Tokens of a lower epoch stay good, but cannot prove that the user lacks a role. */
export type RoleGranted = DomainEvent<'RoleGranted', { at: number; role: string; epoch: number }>;
/** Tokens of a lower epoch may still carry the role, so they are refused. */
export type RoleRevoked = DomainEvent<'RoleRevoked', { at: number; role: string; epoch: number }>;
export type UserDisabled = DomainEvent<'UserDisabled', { at: number; epoch: number }>;
export type UserEnabled = DomainEvent<'UserEnabled', { at: number }>;
/** Logout everywhere and a changed password refuse every access token with a lower epoch. */
export type UserEpochRaised = DomainEvent<
  'UserEpochRaised',
  { at: number; epoch: number; cause: 'logout_everywhere' | 'password_changed' }
>;

export type UserEvent =
  | UserRegistered
  | ProfileChanged
  | PasswordChanged
  | PasswordCheckFailed
  | UserLocked
  | FailedChecksCleared
  | RoleGranted
  | RoleRevoked
  | UserDisabled
  | UserEnabled
  | UserEpochRaised;
