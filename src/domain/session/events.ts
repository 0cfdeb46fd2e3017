import type { DeviceType } from '@latchkey/contract/device-type';
import type { DomainEvent } from '../kernel/event.ts';
import type { DeviceKey } from './device-key.ts';

export const revocationReasons = [
  'logout',
  'logout_everywhere',
  'superseded',
  'reuse_detected',
  'password_changed',
  'email_verified',
  'email_changed',
  'factor_changed',
  'user_disabled',
  'user_erased',
  'admin',
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/**
 * Latchkey answered a login, or gave a client a token for itself (`client_credentials`).
 *
 * @pii `{ip, user_agent, device_name}`; absent for a client's own
 */
export type SessionStarted = DomainEvent<
  'SessionStarted',
  {
    /** Whose session it is: the user's id, or the client's own, which is no user's. */
    userId: string;
    /** The registered client that asked; null for the first party. */
    clientId: string | null;
    /** What the login said of its device. */
    deviceType: DeviceType;
    /** How the user proved to be the user (RFC 8176): `pwd`. Empty for a client's own. */
    amr: string[];
    /** The `aud` of its tokens: exactly the audiences that the login asked for. */
    audience: string[];
    /** The scopes with spaces between them; empty for a login with a password. */
    scope: string;
    /** Where the refresh token travels. */
    transport: 'body' | 'cookie';
    /** Also the `auth_time` of its tokens. */
    at: number;
    /** The absolute end. No refresh moves it. */
    expiresAt: number;
    /** How long the first access token lives. */
    accessTokenTtlSeconds: number;
    /**
     * Hash of the first refresh secret; null where there is no refresh token (device type
     * `service`).
     */
    secretHash: string | null;
    /** 16 random bytes, base64url; null where there is no refresh token. */
    salt: string | null;
    /** The public key that the login proved to hold (RFC 9449); absent for an unbound session. */
    deviceKey?: DeviceKey;
    /**
     * The public key that verifies its tokens: `kid`, and `jwk` with the public members only.
     * Absent where the issuer signs them. The private part is in `session_key_secrets`, wrapped.
     */
    sessionKey?: { kid: string; jwk: { [member: string]: string } };
  }
>;

/**
 * The device of a session has proved a key, for good. From now on each refresh needs its proof; with
 * `dbsc` only from DeviceKeyConfirmed on.
 */
export type DeviceKeyBound = DomainEvent<
  'DeviceKeyBound',
  {
    at: number;
    /** The public key, its thumbprint, and how the device proves it: `dpop` or `dbsc`. */
    deviceKey: DeviceKey;
  }
>;

/**
 * A browser refreshed with the bound cookie, so the answer to its registration has arrived: from now
 * on each refresh of the session needs its proof. Before, a lost answer would log the user out.
 */
export type DeviceKeyConfirmed = DomainEvent<'DeviceKeyConfirmed', { at: number }>;

/**
 * The session has a new generation of its refresh token. A repeated request for the same
 * generation writes nothing.
 *
 * @pii `{ip, user_agent, device_name}`, only when the address or the user agent is another than
 * before
 */
export type SessionRefreshed = DomainEvent<
  'SessionRefreshed',
  {
    at: number;
    /** The new generation; the login made generation 1, and step-ups take numbers too. */
    generation: number;
    /** Hash of the new secret. */
    secretHash: string;
    /** Derives the new secret from its parent's, so that a retry gets the same token again. */
    salt: string;
    /** How long the access token of this generation lives, cut at the end of the session. */
    accessTokenTtlSeconds: number;
    /** SHA-256 of the request's `Idempotency-Key`; null without one. */
    idempotencyKeyHash: string | null;
    /**
     * Hash of the secret that the new one derives from, where that is older than the one before: a
     * bound session refreshes from every token that it was ever given.
     */
    parentHash?: string;
  }
>;

/**
 * The user has proved again to be the user, and one short access token says so. The refresh token
 * stays as it is, and what it yields says what the login did.
 */
export type SessionSteppedUp = DomainEvent<
  'SessionSteppedUp',
  {
    /** Also the `auth_time` of that token. */
    at: number;
    /** The generation of that token. No refresh token has it. */
    generation: number;
    /** How the user has proved it (RFC 8176), with what the login had proved. */
    amr: string[];
    /** How long that token lives, cut at the end of the session. */
    accessTokenTtlSeconds: number;
  }
>;

/**
 * A refresh token that had been used came again. A `SessionRevoked` with `reuse_detected` follows
 * in the same append.
 *
 * @pii `{ip, user_agent, device_name}`, where the token came from
 */
export type RefreshTokenReuseDetected = DomainEvent<
  'RefreshTokenReuseDetected',
  {
    at: number;
    /** The generation of the token that came. */
    generation: number;
    /** The generation that the session was at. */
    currentGeneration: number;
  }
>;

/**
 * The session ended before its time. A key of its own goes with it.
 *
 * @pii `{device_name}` of the newcomer, only when superseded
 */
export type SessionRevoked = DomainEvent<
  'SessionRevoked',
  {
    at: number;
    /** Why it ended. */
    reason: RevocationReason;
    /** The session that took its place. */
    supersededBy?: string;
  }
>;

/**
 * The session reached its absolute or its idle end. At the absolute end its tokens have expired,
 * unless a shorter life was configured since: then the session is revoked, too.
 */
export type SessionExpired = DomainEvent<
  'SessionExpired',
  {
    /** When a request or the job `sessions.expire` noticed it. */
    at: number;
    /** Which end it was. */
    cause: 'absolute' | 'idle';
  }
>;

/** The stream id is the session id, `sid` in a token. */
export type SessionEvent =
  | SessionStarted
  | DeviceKeyBound
  | DeviceKeyConfirmed
  | SessionRefreshed
  | SessionSteppedUp
  | RefreshTokenReuseDetected
  | SessionRevoked
  | SessionExpired;
