import type { DeviceType } from '@latchkey/contract/device-type';
import type { DomainEvent } from '../kernel/event.ts';

export const revocationReasons = [
  'logout',
  'logout_everywhere',
  'superseded',
  'reuse_detected',
  'password_changed',
  'user_disabled',
  'admin',
  'key_compromised',
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/**
 * Times are epoch milliseconds. Hashes are base64url SHA-256 of a 256-bit random secret; `salt` is
 * 16 random bytes.
 */
export type SessionStarted = DomainEvent<
  'SessionStarted',
  {
    userId: string;
    clientId: string | null;
    deviceType: DeviceType;
    amr: string[];
    audience: string[];
    scope: string;
    transport: 'body' | 'cookie';
    at: number;
    expiresAt: number;
    accessTokenTtlSeconds: number;
    /** null where the device type has no refresh token (service). */
    secretHash: string | null;
    salt: string | null;
  }
>; // pii: {ip, user_agent, device_name}
export type SessionRefreshed = DomainEvent<
  'SessionRefreshed',
  {
    at: number;
    generation: number;
    secretHash: string;
    salt: string;
    accessTokenTtlSeconds: number;
    /** SHA-256 of the Idempotency-Key header of the rotation, if it had one. */
    idempotencyKeyHash: string | null;
  }
>; // pii, when ip or user agent have changed: {ip, user_agent, device_name}
export type RefreshTokenReuseDetected = DomainEvent<
  'RefreshTokenReuseDetected',
  { at: number; generation: number; currentGeneration: number }
>; // pii: {ip, user_agent, device_name}
export type SessionRevoked = DomainEvent<
  'SessionRevoked',
  { at: number; reason: RevocationReason; supersededBy?: string }
>; // pii, when superseded: {device_name} of the newcomer
export type SessionExpired = DomainEvent<
  'SessionExpired',
  { at: number; cause: 'absolute' | 'idle' }
>;

export type SessionEvent =
  | SessionStarted
  | SessionRefreshed
  | RefreshTokenReuseDetected
  | SessionRevoked
  | SessionExpired;
