import { dpopAlgorithms } from '@latchkey/contract/dpop';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { jsonPart } from './json-part.ts';
import { type NamedKey, type ProofJwkRefusal, type ProofKey, readProofJwk } from './proof-jwk.ts';
import { TwoGenerationCache } from './two-generation-cache.ts';

export type ProofKeyRefusal = 'header' | 'typ' | 'alg' | ProofJwkRefusal;

/** An RSA key of 4,096 bits has 1,004; these leave room for `kid`, `use` and the like. */
const headerCharactersMax = 1200;

/**
 * The keys of lately seen headers. The proofs of one client have one header, so a hit saves its
 * parsing and the import of its key; whether a proof is good is asked of each again.
 */
export class ProofKeyCache {
  readonly #keys: TwoGenerationCache<Entry>;
  readonly #leastBytes: number;

  /**
   * At most `headersMax` headers, and with their keys at most `bytesMax` bytes of memory. A key of
   * ES256 takes 5 KB.
   */
  constructor(headersMax: number, bytesMax: number = 64 * 1024 * 1024) {
    this.#leastBytes = bytesMax / headersMax;
    this.#keys = new TwoGenerationCache(bytesMax, ({ bytes }) => bytes);
  }

  /** `header`: the first part of a proof, as it was sent. */
  get(header: string): ProofKey | undefined {
    return this.#keys.get(header)?.key;
  }

  /** For a header whose key has signed a proof that is good: others must not drive keys out. */
  remember(header: string, key: ProofKey): void {
    // Cut out of the proof, the text would keep all of the proof in memory.
    const copy = Buffer.from(header, 'latin1').toString('latin1');
    const bytes = Math.max(bytesOf(header), this.#leastBytes);
    this.#keys.set(copy, { key, bytes });
  }

  get count(): number {
    return this.#keys.count;
  }

  /** What its entries count for: each at least the `headersMax`th part of `bytesMax`. */
  get bytes(): number {
    return this.#keys.size;
  }
}

interface Entry {
  readonly key: ProofKey;
  readonly bytes: number;
}

/**
 * Measured as resident memory over 20,000 keys of each kind: the text of the header, of the members,
 * and the number inside the key.
 */
function bytesOf(header: string): number {
  return 4352 + 3 * header.length;
}

const algorithms: readonly string[] = dpopAlgorithms satisfies readonly SigningAlgorithm[];

/**
 * `typ`, `alg` and `jwk` of a DPoP proof (RFC 9449 section 4.2). The key is asymmetric and public
 * only; it is not imported yet.
 */
export function readProofHeader(encoded: string): NamedKey | ProofKeyRefusal {
  const header = encoded.length > headerCharactersMax ? null : jsonPart(encoded);
  if (header === null || 'crit' in header || 'b64' in header) return 'header';
  const { typ, alg, jwk } = header;
  if (typ !== 'dpop+jwt') return 'typ';
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'alg';
  return readProofJwk(alg as SigningAlgorithm, jwk);
}
