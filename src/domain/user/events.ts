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
/**
 * `deviceId`: the known device, or the session, whose own count it is; without one, that of
 * strangers. pii of failures and locks: {ip, user_agent}, where the password came from.
 */
export type PasswordCheckFailed = DomainEvent<
  'PasswordCheckFailed',
  { at: number; deviceId?: string }
>;
export type UserLocked = DomainEvent<
  'UserLocked',
  { at: number; until: number; lockCount: number }
>;
export type DeviceLocked = DomainEvent<
  'DeviceLocked',
  { at: number; until: number; lockCount: number; deviceId: string }
>;
export type FailedChecksCleared = DomainEvent<
  'FailedChecksCleared',
  { at: number; deviceId?: string }
>;
/** An administrator, or the command line, lifted the user's lock and those of its devices. */
export type UserUnlocked = DomainEvent<'UserUnlocked', { at: number }>;
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
  | DeviceLocked
  | FailedChecksCleared
  | UserUnlocked
  | RoleGranted
  | RoleRevoked
  | UserDisabled
  | UserEnabled
  | UserEpochRaised;
