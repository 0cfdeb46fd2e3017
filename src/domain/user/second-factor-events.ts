import type { DomainEvent } from '../kernel/event.ts';

/** What the secret of a second factor is known by. The secret is in `totp_secrets`, wrapped. */
type FactorId = string;

/** Number of the 30 seconds since 1970 that a code belongs to (RFC 6238). */
type TimeStep = number;

/** The login challenge that it answered; absent at a step-up or a change of the factor. */
type ChallengeId = string;

/**
 * The user was given the secret of an authenticator app. It proves nothing before TotpConfirmed; one
 * that was confirmed before stays until then.
 */
export type TotpEnrolled = DomainEvent<
  'TotpEnrolled',
  {
    at: number;
    factorId: FactorId;
    /** Until when the first code may confirm it. */
    expiresAt: number;
  }
>;

/**
 * The first code came: from now on a login needs one. A `UserEpochRaised` and a `SessionRevoked` of
 * each other session stand in the same append.
 */
export type TotpConfirmed = DomainEvent<
  'TotpConfirmed',
  {
    at: number;
    factorId: FactorId;
    step: TimeStep;
  }
>;

/** The second factor and its recovery codes are gone: the first factor alone is enough to log in. */
export type TotpRemoved = DomainEvent<
  'TotpRemoved',
  {
    at: number;
    /** `user`, who gave the factor or a recovery code, or `admin`: also the command line. */
    by: 'user' | 'admin';
  }
>;

/**
 * Somebody gave a wrong code of the second factor, or a wrong recovery code. It counts like a wrong
 * password.
 *
 * @pii `{ip, user_agent}`, where the code came from
 */
export type FactorCheckFailed = DomainEvent<
  'FactorCheckFailed',
  {
    at: number;
    /** What was given. */
    factor: 'totp' | 'recovery_code';
    challengeId?: ChallengeId;
    /** Whose count it is: a known device, or the session. Without it: that of strangers. */
    deviceId?: string;
  }
>;

/** A right code of the authenticator app came. No code of this step or an earlier one is good again. */
export type FactorAccepted = DomainEvent<
  'FactorAccepted',
  {
    at: number;
    step: TimeStep;
    challengeId?: ChallengeId;
  }
>;

/** The user was shown new recovery codes. Those before are good for nothing any more. */
export type RecoveryCodesIssued = DomainEvent<
  'RecoveryCodesIssued',
  {
    at: number;
    /** SHA-256 (base64url) of each code, which has 120 random bits. */
    hashes: string[];
  }
>;

/** A recovery code stood for the second factor. It is good for nothing any more. */
export type RecoveryCodeUsed = DomainEvent<
  'RecoveryCodeUsed',
  {
    at: number;
    /** The hash of the code. */
    hash: string;
    challengeId?: ChallengeId;
  }
>;

/** What happens to the second factor of a user. */
export type SecondFactorEvent =
  | TotpEnrolled
  | TotpConfirmed
  | TotpRemoved
  | FactorCheckFailed
  | FactorAccepted
  | RecoveryCodesIssued
  | RecoveryCodeUsed;
