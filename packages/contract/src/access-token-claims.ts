import type { DeviceType } from './device-type.ts';

/** The longest access token that is signed, or looked at. */
export const accessTokenCharactersMax = 8192;
/** The longest life that a deployment may give one. */
export const accessTokenTtlSecondsMax = 24 * 60 * 60;

/** The claims of RFC 9068 section 2.2 and ours. Times are epoch seconds. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
  readonly jti: string;
  readonly client_id: string;
  /** Present unless `client_id` is the first party. */
  readonly client_epoch?: number;
  readonly sid: string;
  readonly auth_time: number;
  /** Empty in a client's own token: no user has proved anything. */
  readonly amr: readonly string[];
  /** See `acrValues`. Absent from a client's own token, and from those of old releases. */
  readonly acr?: string;
  /** Absent where there are none. */
  readonly roles?: readonly string[];
  /** Space-separated; absent where there is none. */
  readonly scope?: string;
  readonly device_type: DeviceType;
  /** The key that the token is bound to (RFC 9449 section 6.1), if it is. */
  readonly cnf?: { readonly jkt: string };
  readonly epoch: number;
  /** Of the user's profile: what the operator lets all audiences of the token see. */
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
  readonly phone_number?: string;
  /** What the registration of its client adds: texts, integers, booleans and lists of them. */
  readonly [custom: string]: unknown;
}

/** `client_id` of a token that no registered client asked for. */
export const firstPartyClientId = 'latchkey';
