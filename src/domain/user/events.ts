import type { DomainEvent } from '../kernel/event.ts';
import type { SecondFactorEvent } from './second-factor-events.ts';

/** The user's new epoch. */
type NewEpoch = number;

/** When the lock ends. */
type LockEnd = number;

/**
 * The account exists.
 *
 * @pii `{email, username?, name?, phone_number?, picture?}`, the profile
 */
export type UserRegistered = DomainEvent<
  'UserRegistered',
  {
    at: number;
    /**
     * Whether the address was proven. The first administrator's is, an open registration's is not.
     */
    emailVerified: boolean;
    /** Whether a password was set. The hash is in `password_hashes`, outside the log. */
    hasPassword: boolean;
    /** The roles that the user starts with, sorted. */
    roles: string[];
  }
>;

/**
 * The user changed the profile.
 *
 * @pii `{email, username?, name?, phone_number?, picture?}`, the whole new profile
 */
export type ProfileChanged = DomainEvent<'ProfileChanged', { at: number }>;

/** The user set a new password. A `UserEpochRaised` follows in the same append. */
export type PasswordChanged = DomainEvent<'PasswordChanged', { at: number }>;

/**
 * Somebody gave a wrong password, at a login with a known address or at a change of the password.
 * While the lock of that count lasts, Latchkey writes at most one an hour. An unknown address
 * writes nothing: a stranger must not be able to grow the log.
 *
 * @pii `{ip, user_agent}`, where the password came from
 */
export type PasswordCheckFailed = DomainEvent<
  'PasswordCheckFailed',
  {
    at: number;
    /**
     * Whose count it is: the known device's or, at a change of the password, the session's.
     * Without it the failure counts as one of strangers.
     */
    deviceId?: string;
  }
>;

/**
 * Strangers failed for the tenth time in a row, or once more after a lock had run out.
 *
 * @pii `{ip, user_agent}` of that failure
 */
export type UserLocked = DomainEvent<
  'UserLocked',
  {
    at: number;
    /** When the lock ends. The first lasts 1 minute, each next one twice as long, up to 1 hour. */
    until: LockEnd;
    /** How many locks there were since the last good password. */
    lockCount: number;
  }
>;

/**
 * One device that had logged in before failed as often as `UserLocked` says. The lock holds for
 * this device only.
 *
 * @pii `{ip, user_agent}` of that failure
 */
export type DeviceLocked = DomainEvent<
  'DeviceLocked',
  {
    at: number;
    until: LockEnd;
    /** How many locks this device had since its last good password. */
    lockCount: number;
    /** The device or, at a change of the password, the session. */
    deviceId: string;
  }
>;

/** The right password came after failures of the same count. */
export type FailedChecksCleared = DomainEvent<
  'FailedChecksCleared',
  {
    at: number;
    /** Whose count it is. Without it the count is that of strangers. */
    deviceId?: string;
  }
>;

/**
 * An administrator or `latchkey users unlock` lifted the user's lock and those of the user's
 * devices. It also follows `UserEnabled` where there was a lock or a count to lift.
 */
export type UserUnlocked = DomainEvent<'UserUnlocked', { at: number }>;

/**
 * The user has one more role, and tokens get it at their next refresh. A token with a lower epoch
 * stays good. Where it lacks a role that is demanded, the answer is `token_stale`.
 */
export type RoleGranted = DomainEvent<
  'RoleGranted',
  {
    at: number;
    /** The role that was granted. */
    role: string;
    epoch: NewEpoch;
  }
>;

/** The user has one role less. Tokens that may still carry it are refused with `token_stale`. */
export type RoleRevoked = DomainEvent<
  'RoleRevoked',
  {
    at: number;
    /** The role that was revoked. */
    role: string;
    epoch: NewEpoch;
  }
>;

/**
 * An administrator disabled the user. A `SessionRevoked` of each live session stands in the same
 * append.
 */
export type UserDisabled = DomainEvent<'UserDisabled', { at: number; epoch: NewEpoch }>;

/** An administrator let a disabled user log in again. */
export type UserEnabled = DomainEvent<'UserEnabled', { at: number }>;

/** Access tokens of the user with a lower epoch are refused from now on. */
export type UserEpochRaised = DomainEvent<
  'UserEpochRaised',
  {
    at: number;
    epoch: NewEpoch;
    /** What raised the epoch. */
    cause: 'logout_everywhere' | 'password_changed' | 'email_verified' | 'factor_changed';
  }
>;

/** When a code or a link expires. */
type ProofEnd = number;

/** What a proof by mail is known by. No secret: that is derived from it with a key. */
type RequestId = string;

/** Somebody asked for a code by mail. The job `mail.deliver` derives the code when it sends it. */
export type OtpRequested = DomainEvent<
  'OtpRequested',
  { at: number; requestId: RequestId; expiresAt: ProofEnd }
>;

/**
 * Somebody gave a wrong code, or a code for another request than the open one. It counts like a
 * wrong password.
 *
 * @pii `{ip, user_agent}`, where the code came from
 */
export type OtpCheckFailed = DomainEvent<
  'OtpCheckFailed',
  {
    at: number;
    /** The request that the code was given with. */
    requestId: RequestId;
    /** Whose count it is. Without it the failure counts as one of strangers. */
    deviceId?: string;
  }
>;

/** The right code came. It is good for nothing any more. */
export type OtpConsumed = DomainEvent<'OtpConsumed', { at: number; requestId: RequestId }>;

/** A link went out that proves the user's address. */
export type EmailVerificationRequested = DomainEvent<
  'EmailVerificationRequested',
  { at: number; requestId: RequestId; expiresAt: ProofEnd }
>;

/**
 * Somebody proved for the first time to read mail to the user's address. What was made before, by
 * whomever, ends: sessions, known devices, the second factor with its recovery codes and, unless it
 * was repeated, the password.
 */
export type EmailVerified = DomainEvent<
  'EmailVerified',
  {
    at: number;
    /** Whether the password that was set before stays. */
    keepsPassword: boolean;
  }
>;

/**
 * Somebody tried to register the user's proven address. A mail tells the user, and nobody else hears
 * of it. Latchkey records it once an hour.
 */
export type RegistrationRepeated = DomainEvent<'RegistrationRepeated', { at: number }>;

/** Somebody asked for a link with which the password can be replaced. */
export type PasswordResetRequested = DomainEvent<
  'PasswordResetRequested',
  { at: number; requestId: RequestId; expiresAt: ProofEnd }
>;

/** The link was used. `PasswordChanged` follows in the same append. */
export type PasswordResetCompleted = DomainEvent<'PasswordResetCompleted', { at: number }>;

/**
 * The user asked for another address. A link went to the new one.
 *
 * @pii `{email}`, the new address
 */
export type EmailChangeRequested = DomainEvent<
  'EmailChangeRequested',
  { at: number; requestId: RequestId; expiresAt: ProofEnd }
>;

/**
 * The link in the mail to the new address was used.
 *
 * @pii `{email, username?, name?, phone_number?, picture?}`, the whole new profile
 */
export type EmailChanged = DomainEvent<'EmailChanged', { at: number }>;

/**
 * The person was erased, by themselves or by an administrator. A `SessionRevoked` of each live
 * session stands in the same append, and the subject key goes with it: nobody can read the personal
 * data of the events before any more. Nothing follows in the stream.
 */
export type SubjectErased = DomainEvent<'SubjectErased', { at: number; epoch: NewEpoch }>;

/** The stream id is the user id. */
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
  | UserEpochRaised
  | OtpRequested
  | OtpCheckFailed
  | OtpConsumed
  | EmailVerificationRequested
  | EmailVerified
  | RegistrationRepeated
  | PasswordResetRequested
  | PasswordResetCompleted
  | EmailChangeRequested
  | EmailChanged
  | SubjectErased
  | SecondFactorEvent;
