import { sign } from 'node:crypto';
import type { KeyStatus } from '@latchkey/contract/keyset-key';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { signatureAlgorithms } from '@latchkey/verifier/internal/signature-algorithms';
import { KeyRing, type VerificationKeys } from '@latchkey/verifier/key-ring';
import type { StalePolicy } from '@latchkey/verifier/lease';
import { type Lease, LogLeases } from '@latchkey/verifier/lease';
import { RevocationSet } from '@latchkey/verifier/revocation-set';
import type { VerifierOptions } from '@latchkey/verifier/verify';
import { createVerifier } from '@latchkey/verifier/verify';
import type { AccessTokenInput } from '../../src/app/session/sign-access-token.ts';
import { signAccessToken } from '../../src/app/session/sign-access-token.ts';
import type { SigningKey } from '../../src/node/signing-keys.ts';
import { generateSigningKey, importSigningKey } from '../../src/node/signing-keys.ts';

export const issuer = 'https://id.example.test';
export const userId = '0198c0de-0000-7000-8000-00000000000a';
export const sessionId = '0198c0de-0000-7000-8000-00000000000b';
export const clientId = '0198c0de-0000-7000-8000-00000000000c';
export const logId = '0198c0de-0000-7000-8000-00000000000d';
export const start = Date.UTC(2030, 0, 1);
export const ttlSeconds = 900;
export const clockSkewSeconds = 5;

export interface IssuerKey {
  readonly signing: SigningKey;
  readonly jwk: { readonly [member: string]: string };
}

export async function createIssuerKey(alg: SigningAlgorithm = 'ES256'): Promise<IssuerKey> {
  const { kid, jwk, privateJwk } = await generateSigningKey(alg);
  return { signing: importSigningKey(kid, alg, privateJwk), jwk };
}

export function ringEntry({ signing: { kid, alg }, jwk }: IssuerKey, status: KeyStatus = 'active') {
  return { kid, alg, jwk, status };
}

export function mint(key: IssuerKey, overrides: Partial<AccessTokenInput> = {}): Promise<string> {
  return signAccessToken({
    key: key.signing,
    issuer,
    userId,
    userEpoch: 0,
    sessionId,
    generation: 1,
    audience: [issuer, 'orders'],
    client: null,
    amr: ['pwd'],
    roles: ['editor'],
    scope: '',
    deviceType: 'web',
    authenticatedAt: start,
    issuedAt: start,
    expiresAt: start + ttlSeconds * 1000,
    ...overrides,
  });
}

export function encodePart(part: unknown): string {
  const text = typeof part === 'string' ? part : JSON.stringify(part);
  return Buffer.from(text, 'utf8').toString('base64url');
}

export function decodePart(token: string, index: number): Record<string, unknown> {
  const part = token.split('.')[index] ?? '';
  return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
}

/** Any header and payload (raw text or value) under a genuine signature of `key`. */
export function signParts(key: IssuerKey, header: unknown, payload: unknown): string {
  const signed = `${encodePart(header)}.${encodePart(payload)}`;
  const { digest, options } = signatureAlgorithms[key.signing.alg];
  const signature = sign(digest, Buffer.from(signed), {
    key: key.signing.privateKey,
    ...options,
  });
  return `${signed}.${signature.toString('base64url')}`;
}

export interface World {
  readonly key: IssuerKey;
  readonly ring: KeyRing;
  readonly revocations: RevocationSet;
  readonly lease: Lease;
  readonly leases: LogLeases;
  readonly token: string;
  /** Verifies `secondsLater` after the token was issued; the lease started there too. */
  check(
    token: string,
    options?: { secondsLater?: number; monotonicLater?: number; audience?: string },
  ): ReturnType<ReturnType<typeof createVerifier>['verify']>;
  readonly verifier: ReturnType<typeof createVerifier>;
}

/** A verifier whose lease holds for a day, with one good token. */
export async function createWorld(
  options: Partial<VerifierOptions> & {
    alg?: SigningAlgorithm;
    leaseSeconds?: number;
    policy?: StalePolicy;
    /** Where the verifier finds its keys; by default in the ring alone. */
    keysBeside?: (ring: KeyRing) => VerificationKeys;
  } = {},
): Promise<World> {
  const key = await createIssuerKey(options.alg);
  const ring = new KeyRing();
  ring.replace([ringEntry(key)]);
  const revocations = new RevocationSet({ clockSkewSeconds });
  const leases = new LogLeases({
    leaseSeconds: options.leaseSeconds ?? 86_400,
    policy: options.policy ?? 'refuse',
  });
  leases.put(logId);
  const lease = leases.ofLog(logId);
  lease.renew({ now: start, monotonicNow: 0 });
  const verifier = createVerifier({
    issuer,
    keyRing: options.keysBeside?.(ring) ?? ring,
    revocations,
    leases,
    clockSkewSeconds,
    cacheBytesMax: options.cacheBytesMax ?? 1_000_000,
  });
  return {
    key,
    ring,
    revocations,
    lease,
    leases,
    verifier,
    token: await mint(key),
    check(token, { secondsLater = 0, monotonicLater = secondsLater, audience } = {}) {
      return verifier.verify(token, {
        now: start + secondsLater * 1000,
        monotonicNow: monotonicLater * 1000,
        ...(audience === undefined ? {} : { audience }),
      });
    },
  };
}

/** The whole answer of a refusal. */
export function refusal(reason: string, code = 'invalid_token') {
  return { ok: false, code, reason };
}
