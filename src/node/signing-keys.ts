import type { KeyObject } from 'node:crypto';
import { createPrivateKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { withOptions } from '@latchkey/verifier/internal/signature-algorithms';
import { calculateJwkThumbprint } from 'jose';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { sha256 } from '../domain/kernel/sha256.ts';
import type { KeysetState } from '../domain/keyset/state.ts';
import type { SessionKey, SessionKeyAlgorithm } from '../domain/session/session-key.ts';

/** What signs: a private key that only this process holds in the clear. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** With its algorithm's options (`withOptions`). */
  readonly privateKey: KeyObject;
}

export interface GeneratedSigningKey {
  /** The RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** Public members only. */
  readonly jwk: { readonly [member: string]: string };
  /** UTF-8 JSON, to be wrapped at once and then forgotten. */
  readonly privateJwk: Uint8Array;
}

const generate = promisify(generateKeyPair) as (
  type: string,
  options: object,
) => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>;

const keyParameters = {
  RS256: { type: 'rsa', options: { modulusLength: 2048 } },
  PS256: { type: 'rsa', options: { modulusLength: 2048 } },
  ES256: { type: 'ec', options: { namedCurve: 'P-256' } },
  Ed25519: { type: 'ed25519', options: {} },
  EdDSA: { type: 'ed25519', options: {} },
} as const satisfies Record<SigningAlgorithm, object>;

const publicMembers = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const;

export async function generateSigningKey(alg: SigningAlgorithm): Promise<GeneratedSigningKey> {
  const { publicKey, privateKey } = await generateKeys(alg);
  const members = publicKey.export({ format: 'jwk' });
  const kid = await calculateJwkThumbprint(members);
  // An operator types it behind `latchkey keys revoke`, where this would be an option.
  if (kid.startsWith('-')) return generateSigningKey(alg);
  return {
    kid,
    alg,
    jwk: publicPart({ kid, alg, jwk: members as { [member: string]: string } }),
    privateJwk: privateJwkOf(privateKey),
  };
}

/** The key of one session; `kid` is its own, because the database looks for it. */
export async function generateSessionKey(
  kid: string,
  alg: SessionKeyAlgorithm,
): Promise<{ signing: SigningKey; sessionKey: SessionKey; privateJwk: Uint8Array }> {
  const { publicKey, privateKey } = await generateKeys(alg);
  const jwk = publicKey.export({ format: 'jwk' }) as { [member: string]: string };
  return {
    signing: { kid, alg, privateKey: withOptions(privateKey, alg) },
    sessionKey: { kid, jwk: publicPart({ kid, alg, jwk }) },
    privateJwk: privateJwkOf(privateKey),
  };
}

function generateKeys(alg: SigningAlgorithm) {
  const { type, options } = keyParameters[alg];
  return generate(type, options);
}

function privateJwkOf(privateKey: KeyObject): Uint8Array {
  return Buffer.from(JSON.stringify(privateKey.export({ format: 'jwk' })), 'utf8');
}

/** The inverse of generating and unwrapping. Throws when the bytes are not a private JWK. */
export function importSigningKey(
  kid: string,
  alg: SigningAlgorithm,
  privateJwk: Uint8Array,
): SigningKey {
  const jwk = JSON.parse(Buffer.from(privateJwk).toString('utf8'));
  return { kid, alg, privateKey: withOptions(createPrivateKey({ key: jwk, format: 'jwk' }), alg) };
}

export interface JwksDocument {
  readonly body: string;
  /** Strong, quoted, and a function of the body alone: every node gives the same. */
  readonly etag: string;
  readonly keys: readonly { readonly [member: string]: string }[];
}

/**
 * RFC 7517 section 5. Revoked keys are left out; a private member could not get in even if the
 * state held one.
 */
export function buildJwks(keyset: KeysetState): JwksDocument {
  const keys = keyset.keys.filter((key) => key.status !== 'revoked').map(publicPart);
  const body = JSON.stringify({ keys });
  return { body, keys, etag: `"${sha256(body)}"` };
}

function publicPart({ kid, alg, jwk }: Pick<KeysetKey, 'kid' | 'alg' | 'jwk'>) {
  const part: { [member: string]: string } = {};
  for (const member of publicMembers) {
    const value = jwk[member];
    if (value !== undefined) part[member] = value;
  }
  return { ...part, use: 'sig', alg, kid };
}

/** The key that this process signs with. Replaced as a whole, so a token never mixes two keys. */
export class ActiveSigningKey {
  #key: SigningKey | undefined;
  readonly #uses = new Map<string, number>();

  /** `undefined`: this process cannot sign now. */
  replace(key: SigningKey | undefined): void {
    this.#key = key;
  }

  /** Throws `unavailable` until the keyset has been loaded, and while its key does not open. */
  get(): SigningKey {
    if (this.#key !== undefined) return this.#key;
    throw new LatchkeyError('unavailable', {
      retryAfterSeconds: 1,
      detail: 'no signing key is loaded',
    });
  }

  /** The key that is active by now; `asked`, which may be revoked meanwhile, when there is none. */
  currentOr(asked: SigningKey): SigningKey {
    return this.#key ?? asked;
  }

  /** A token was signed with the key of the issuer. */
  countUse(kid: string): void {
    this.#uses.set(kid, this.usesOf(kid) + 1);
  }

  /** How many tokens this process has signed with the key. */
  usesOf(kid: string): number {
    return this.#uses.get(kid) ?? 0;
  }
}
