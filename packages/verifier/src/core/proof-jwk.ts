import type { KeyObject } from 'node:crypto';
import { createPublicKey, hash, verify } from 'node:crypto';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { decodeCanonical } from './canonical-base64url.ts';
import { signatureAlgorithms, withOptions } from './signature-algorithms.ts';

/** A public key as its thumbprint covers it (RFC 7638): these members, in this order. */
export type ProofJwk = Readonly<Record<string, string>>;

/** The key that a proof names, as text: nothing says yet that it is one. */
export interface NamedKey {
  readonly alg: SigningAlgorithm;
  readonly jwk: ProofJwk;
  /** SHA-256 thumbprint, base64url. */
  readonly jkt: string;
}

/** The same, prepared for the check of signatures. */
export interface ProofKey extends NamedKey {
  readonly publicKey: KeyObject;
}

type NamedKeyRefusal = 'jwk' | 'private_key';
export type ProofJwkRefusal = NamedKeyRefusal | 'weak_key';

const membersOf: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
  ['RSA', ['e', 'kty', 'n']],
]);
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const encodedMembers = ['x', 'y', 'e', 'n'];
const rsaBitsMax = 4096;

/**
 * The members of a public JWK, whatever `given` is. Any others are left out, but a private one is
 * refused: whoever has seen the request could sign.
 */
export function readProofJwk(alg: SigningAlgorithm, given: unknown): NamedKey | NamedKeyRefusal {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'jwk';
  if (privateMembers.some((member) => Object.hasOwn(given, member))) return 'private_key';
  const named = given as Readonly<Record<string, unknown>>;
  const members = membersOf.get(named.kty);
  if (members === undefined) return 'jwk';
  const jwk: Record<string, string> = {};
  for (const member of members) {
    const value = named[member];
    if (typeof value !== 'string') return 'jwk';
    if (encodedMembers.includes(member) && decodeCanonical(value) === null) return 'jwk';
    jwk[member] = value;
  }
  const jkt = hash('sha256', JSON.stringify(jwk), 'base64url');
  return { alg, jwk: Object.freeze(jwk), jkt };
}

/**
 * The key itself. It fits the algorithm, and no RSA key is short, or so long that its check is an
 * attack.
 */
export function importNamedKey({ alg, jwk, jkt }: NamedKey): ProofKey | ProofJwkRefusal {
  try {
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    if (!signatureAlgorithms[alg].fits(publicKey)) return 'weak_key';
    if (!isUsualRsaKey(publicKey)) return 'weak_key';
    return { alg, publicKey: withOptions(publicKey, alg), jwk, jkt };
  } catch {
    return 'jwk';
  }
}

/** Both steps at once. */
export function importProofKey(alg: SigningAlgorithm, given: unknown): ProofKey | ProofJwkRefusal {
  const named = readProofJwk(alg, given);
  return typeof named === 'string' ? named : importNamedKey(named);
}

function isUsualRsaKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType !== 'rsa') return true;
  const { modulusLength = 0, publicExponent } = asymmetricKeyDetails ?? {};
  return modulusLength <= rsaBitsMax && publicExponent === 65_537n;
}

/** Whether `encoded` is the key's signature of `signed`, which is ASCII, as every JWS is. */
export function isSigned({ alg, publicKey }: ProofKey, signed: string, encoded: string): boolean {
  const signature = decodeCanonical(encoded);
  if (signature === null) return false;
  try {
    const bytes = Buffer.from(signed, 'latin1');
    return verify(signatureAlgorithms[alg].digest, bytes, publicKey, signature);
  } catch {
    return false;
  }
}
