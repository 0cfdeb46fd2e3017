import type { KeyObject } from 'node:crypto';
import { createPublicKey, hash } from 'node:crypto';
import { dpopAlgorithms } from '@latchkey/contract/dpop';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { parseJsonObject } from './access-token-claims.ts';
import { decodeCanonical } from './canonical-base64url.ts';
import { signatureAlgorithms, withOptions } from './signature-algorithms.ts';
import { TwoGenerationCache } from './two-generation-cache.ts';

/** A public key as its thumbprint covers it (RFC 7638): these members, in this order. */
export type ProofJwk = Readonly<Record<string, string>>;

/** The key in the header of a proof, prepared. */
export interface ProofKey {
  readonly alg: SigningAlgorithm;
  readonly publicKey: KeyObject;
  readonly jwk: ProofJwk;
  /** SHA-256 thumbprint, base64url. */
  readonly jkt: string;
}

export type ProofKeyRefusal = 'header' | 'typ' | 'alg' | 'jwk' | 'private_key' | 'weak_key';

/**
 * The keys of lately seen headers. The proofs of one client have one header, so a hit saves its
 * parsing and the import of its key; whether a proof is good is asked of each again.
 */
export class ProofKeyCache {
  readonly #keys: TwoGenerationCache<ProofKey>;

  /** At most `headersMax` headers, of at most some kilobytes each. */
  constructor(headersMax: number) {
    this.#keys = new TwoGenerationCache(headersMax, () => 1);
  }

  /** `header`: the first part of a proof, as it was sent. */
  keyOf(header: string): ProofKey | ProofKeyRefusal {
    const known = this.#keys.get(header);
    if (known !== undefined) return known;
    const key = readProofHeader(header);
    if (typeof key !== 'string') this.#keys.set(header, key);
    return key;
  }
}

const algorithms: readonly string[] = dpopAlgorithms satisfies readonly SigningAlgorithm[];
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const rsaBitsMax = 4096;

/**
 * `typ`, `alg` and `jwk` of a DPoP proof (RFC 9449 section 4.2). The key is asymmetric, public only,
 * fits the algorithm, and no RSA key is short, or so long that its check is an attack.
 */
export function readProofHeader(encoded: string): ProofKey | ProofKeyRefusal {
  const text = decodeCanonical(encoded)?.toString('utf8');
  const header = text === undefined ? null : parseJsonObject(text);
  if (header === null || 'crit' in header || 'b64' in header) return 'header';
  const { typ, alg, jwk } = header;
  if (typ !== 'dpop+jwt') return 'typ';
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'alg';
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'jwk';
  if (privateMembers.some((member) => Object.hasOwn(jwk, member))) return 'private_key';
  return importKey(alg as SigningAlgorithm, jwk as Readonly<Record<string, unknown>>);
}

const membersOf: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
  ['RSA', ['e', 'kty', 'n']],
]);
const encodedMembers = ['x', 'y', 'e', 'n'];

function importKey(
  alg: SigningAlgorithm,
  given: Readonly<Record<string, unknown>>,
): ProofKey | ProofKeyRefusal {
  const members = membersOf.get(given.kty);
  if (members === undefined) return 'jwk';
  const jwk: Record<string, string> = {};
  for (const member of members) {
    const value = given[member];
    if (typeof value !== 'string') return 'jwk';
    if (encodedMembers.includes(member) && decodeCanonical(value) === null) return 'jwk';
    jwk[member] = value;
  }
  try {
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    if (!signatureAlgorithms[alg].fits(publicKey)) return 'weak_key';
    if (!isUsualRsaKey(publicKey)) return 'weak_key';
    const jkt = hash('sha256', JSON.stringify(jwk), 'base64url');
    return { alg, publicKey: withOptions(publicKey, alg), jwk: Object.freeze(jwk), jkt };
  } catch {
    return 'jwk';
  }
}

function isUsualRsaKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType !== 'rsa') return true;
  const { modulusLength = 0, publicExponent } = asymmetricKeyDetails ?? {};
  return modulusLength <= rsaBitsMax && publicExponent === 65_537n;
}
