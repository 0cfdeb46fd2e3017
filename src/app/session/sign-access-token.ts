import { sign } from 'node:crypto';
import { promisify } from 'node:util';
import {
  accessTokenCharactersMax,
  firstPartyClientId,
} from '@latchkey/contract/access-token-claims';
import { acrOf } from '@latchkey/contract/acr';
import type { DeviceType } from '@latchkey/contract/device-type';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { signatureAlgorithms } from '@latchkey/verifier/internal/signature-algorithms';
import type { CustomClaims } from '../../domain/client/custom-claims.ts';
import { fittingClaims } from '../../domain/kernel/token-room.ts';
import type { SigningKey } from '../../node/signing-keys.ts';

export interface AccessTokenInput {
  readonly key: SigningKey;
  readonly issuer: string;
  readonly userId: string;
  readonly userEpoch: number;
  readonly sessionId: string;
  readonly generation: number;
  readonly audience: readonly string[];
  /** Null for Latchkey's own client, which is first-party. */
  readonly client: { readonly id: string; readonly epoch: number } | null;
  readonly amr: readonly string[];
  readonly roles: readonly string[];
  readonly scope: string;
  readonly deviceType: DeviceType;
  /** Thumbprint of the key that it is bound to (RFC 9449 section 6.1); left out: to none. */
  readonly boundTo?: string | undefined;
  /** What the client's registration adds; none of its names is one of ours. */
  readonly customClaims?: CustomClaims | null;
  /** Of the user, for all audiences of the token; what does not fit is left out. */
  readonly profile?: Readonly<Record<string, string | boolean>>;
  /** Epoch milliseconds, as are the next two. */
  readonly authenticatedAt: number;
  readonly issuedAt: number;
  /** At most the session's `accessExpiresAt`: a revocation is forgotten after that. */
  readonly expiresAt: number;
}

const signAsync = promisify(sign);
const onCurve: ReadonlySet<SigningAlgorithm> = new Set(['ES256', 'Ed25519', 'EdDSA']);

/**
 * An RFC 9068 access token. `jti` is the session id and the generation,
 * so a retry of one generation names the same token. Whole seconds are rounded down: no token
 * outlives `expiresAt`. Empty `roles` and `scope` are left out: resource servers take them for
 * malformed (RFC 9068 section 2.2.3). Throws for a token that no verifier would read; the limits of
 * what goes into one (`domain/kernel/token-room.ts`) leave it no way to happen.
 */
export async function signAccessToken(input: AccessTokenInput): Promise<string> {
  const { key, client } = input;
  const issuedAt = toSeconds(input.issuedAt);
  const header = { alg: key.alg, typ: 'at+jwt', kid: key.kid };
  const claims = {
    ...input.customClaims,
    iss: input.issuer,
    sub: input.userId,
    aud: input.audience,
    exp: toSeconds(input.expiresAt),
    iat: issuedAt,
    nbf: issuedAt,
    jti: `${input.sessionId}.${input.generation}`,
    client_id: client?.id ?? firstPartyClientId,
    ...(client === null ? {} : { client_epoch: client.epoch }),
    sid: input.sessionId,
    auth_time: toSeconds(input.authenticatedAt),
    amr: input.amr,
    ...(input.amr.length === 0 ? {} : { acr: acrOf(input.amr) }),
    ...(input.roles.length === 0 ? {} : { roles: input.roles }),
    ...(input.scope === '' ? {} : { scope: input.scope }),
    device_type: input.deviceType,
    epoch: input.userEpoch,
    ...(input.boundTo === undefined ? {} : { cnf: { jkt: input.boundTo } }),
  };
  const whole = { ...claims, ...fittingClaims(claims, input.profile ?? {}) };
  const signed = `${encodePart(header)}.${encodePart(whole)}`;
  const token = `${signed}.${await signature(key, signed)}`;
  if (token.length <= accessTokenCharactersMax) return token;
  throw new Error(`an access token of ${token.length} characters, which every verifier refuses`);
}

/**
 * A signature by RSA takes a millisecond and has a thread; one on a curve takes less than the way to
 * a thread and back.
 */
async function signature(key: SigningKey, signed: string): Promise<string> {
  const { digest } = signatureAlgorithms[key.alg];
  const bytes = Buffer.from(signed, 'ascii');
  const made = onCurve.has(key.alg)
    ? sign(digest, bytes, key.privateKey)
    : await signAsync(digest, bytes, key.privateKey);
  return made.toString('base64url');
}

function encodePart(part: object): string {
  return Buffer.from(JSON.stringify(part), 'utf8').toString('base64url');
}

function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
