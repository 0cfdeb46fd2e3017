import { hash } from 'node:crypto';
import { jsonPart } from './json-part.ts';
import { normalizedUri } from './normalized-uri.ts';
import {
  importNamedKey,
  isSigned,
  type NamedKey,
  type ProofJwk,
  type ProofKey,
} from './proof-jwk.ts';
import { type ProofKeyCache, type ProofKeyRefusal, readProofHeader } from './proof-key.ts';

/** The longest proof that is looked at. */
const dpopProofCharactersMax = 4096;

const jtiCharactersMax = 256;
const uriCharactersMax = 2048;

/** The request that a proof must be made for. */
export interface DpopRequest {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly method: string;
  /** Absolute, as clients write it. Query and fragment do not count. */
  readonly uri: string;
  /** The access token that the proof comes with; null where there is none (a login, a refresh). */
  readonly accessToken: string | null;
  /** How far `iat` may lie in the past, and in the future. */
  readonly ageSecondsMax: number;
  readonly clockSkewSeconds: number;
  /** Whether the server gave this nonce and still takes it. Left out: any will do, and none. */
  readonly isGoodNonce?: (nonce: string) => boolean;
  /** Thumbprint of the key that the access token is bound to. Left out: any key will do. */
  readonly jkt?: string | undefined;
  /** Saves the import of a key that was seen lately. */
  readonly keys?: ProofKeyCache;
}

export type DpopRefusalReason =
  | ProofKeyRefusal
  | 'too_long'
  | 'not_a_proof'
  | 'claims'
  | 'htm'
  | 'htu'
  | 'iat'
  | 'ath'
  | 'nonce'
  | 'key'
  | 'signature';

/**
 * `jkt` is what `cnf.jkt` of the access token has to be. `jti` names the proof among those of its
 * key: a server takes each once, as long as its time and its nonce would let it pass again.
 */
export type DpopVerification =
  | {
      readonly ok: true;
      readonly jkt: string;
      readonly jwk: ProofJwk;
      readonly jti: string;
      readonly nonce: string | null;
    }
  | {
      readonly ok: false;
      readonly code: 'invalid_dpop_proof' | 'use_dpop_nonce';
      /** For logs and metrics only: none of the proof's own text is in it. */
      readonly reason: DpopRefusalReason;
    };

interface ProofClaims {
  readonly jti: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  readonly ath?: string;
  readonly nonce?: string;
}

/**
 * Checks the value of a `DPoP` header (RFC 9449 section 4.3), all but whether the proof came before.
 * Synchronous, without I/O; it never throws, whatever text `proof` is. The import of the key and the
 * signature come last, so that what is wrong costs little.
 */
export function verifyDpopProof(proof: string, request: DpopRequest): DpopVerification {
  const read = readProof(proof, request);
  if (typeof read === 'string') return refuse(read);
  const { header, payload, signature, claims, named } = read;
  if (request.jkt !== undefined && named.jkt !== request.jkt) return refuse('key');
  const key = read.known ?? importNamedKey(named);
  if (typeof key === 'string') return refuse(key);
  if (!isSigned(key, proof.slice(0, header.length + 1 + payload.length), signature)) {
    return refuse('signature');
  }
  if (read.known === undefined) request.keys?.remember(header, key);
  const { jti, nonce = null } = claims;
  return { ok: true, jkt: key.jkt, jwk: key.jwk, jti, nonce };
}

/**
 * Whether `verifyDpopProof` would ask for another nonce. Looks at no key and at no signature: a
 * server may answer so before it does any work that it counts.
 */
export function needsNonce(proof: string, request: DpopRequest): boolean {
  return readProof(proof, request) === 'nonce';
}

interface ReadProof {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
  readonly claims: ProofClaims;
  readonly named: NamedKey;
  /** The same, where it was seen before. */
  readonly known: ProofKey | undefined;
}

/** All that can be said without the key. */
function readProof(proof: string, request: DpopRequest): ReadProof | DpopRefusalReason {
  if (typeof proof !== 'string') return 'not_a_proof';
  if (proof.length > dpopProofCharactersMax) return 'too_long';
  const parts = proof.split('.', 4);
  if (parts.length !== 3) return 'not_a_proof';
  const [header, payload, signature] = parts as [string, string, string];
  const known = request.keys?.get(header);
  const named = known ?? readProofHeader(header);
  if (typeof named === 'string') return named;
  const claims = readClaims(payload);
  if (claims === null) return 'claims';
  return refusalOf(claims, request) ?? { header, payload, signature, claims, named, known };
}

function refusalOf(claims: ProofClaims, request: DpopRequest): DpopRefusalReason | null {
  const { now, method, uri, accessToken, ageSecondsMax, clockSkewSeconds, isGoodNonce } = request;
  if (claims.htm !== method) return 'htm';
  if (!isSameUri(claims.htu, uri)) return 'htu';
  const ageSeconds = now / 1000 - claims.iat;
  if (ageSeconds > ageSecondsMax || ageSeconds < -clockSkewSeconds) return 'iat';
  if (accessToken !== null && claims.ath !== hash('sha256', accessToken, 'base64url')) return 'ath';
  if (isGoodNonce === undefined) return null;
  return claims.nonce !== undefined && isGoodNonce(claims.nonce) ? null : 'nonce';
}

function isSameUri(given: string, expected: string): boolean {
  if (given === expected) return true;
  const normal = normalizedUri(given);
  return normal !== null && normal === normalizedUri(expected);
}

function readClaims(payload: string): ProofClaims | null {
  const claims = jsonPart(payload);
  if (claims === null) return null;
  const { jti, htm, htu, iat, ath, nonce } = claims;
  if (!isText(jti, jtiCharactersMax) || !isText(htm, 32) || !isText(htu, uriCharactersMax)) {
    return null;
  }
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return null;
  if (ath !== undefined && typeof ath !== 'string') return null;
  if (nonce !== undefined && typeof nonce !== 'string') return null;
  return claims as unknown as ProofClaims;
}

function isText(value: unknown, charactersMax: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= charactersMax;
}

function refuse(reason: DpopRefusalReason): DpopVerification {
  return { ok: false, code: reason === 'nonce' ? 'use_dpop_nonce' : 'invalid_dpop_proof', reason };
}
