import { dpopAlgorithms } from '@latchkey/contract/dpop';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { jsonPart } from './json-part.ts';
import { importProofKey, type ProofJwkRefusal, type ProofKey } from './proof-jwk.ts';
import { TwoGenerationCache } from './two-generation-cache.ts';

export type ProofKeyRefusal = 'header' | 'typ' | 'alg' | 'private_key' | ProofJwkRefusal;

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

/**
 * `typ`, `alg` and `jwk` of a DPoP proof (RFC 9449 section 4.2). The key is asymmetric and public
 * only.
 */
export function readProofHeader(encoded: string): ProofKey | ProofKeyRefusal {
  const header = jsonPart(encoded);
  if (header === null || 'crit' in header || 'b64' in header) return 'header';
  const { typ, alg, jwk } = header;
  if (typ !== 'dpop+jwt') return 'typ';
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'alg';
  if (hasPrivateMember(jwk)) return 'private_key';
  return importProofKey(alg as SigningAlgorithm, jwk);
}

function hasPrivateMember(jwk: unknown): boolean {
  return privateMembers.some((member) => Object.hasOwn(Object(jwk), member));
}
