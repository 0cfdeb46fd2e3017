import { decodeCanonical } from '@latchkey/verifier/internal/canonical-base64url';
import { jsonPart } from '@latchkey/verifier/internal/json-part';
import { importProofKey, isSigned, type ProofKey } from '@latchkey/verifier/internal/proof-jwk';
import { limits } from '../../domain/kernel/limits.ts';
import type { DeviceKey } from '../../domain/session/device-key.ts';

/** What a browser has signed with the key of one of its sessions (W3C DBSC, "DBSC proof"). */
export interface DbscProof {
  readonly alg: DbscAlgorithm;
  /** The key that the proof names itself: in a registration; null in a refresh. */
  readonly key: ProofKey | null;
  readonly challenge: string;
  /** The URL that it was made for, and the session, where the browser says them. */
  readonly audience: string | null;
  readonly subject: string | null;
  readonly signedText: string;
  /** As it was sent, base64url. */
  readonly signature: string;
}

const algorithms = ['ES256', 'RS256'] as const;
export type DbscAlgorithm = (typeof algorithms)[number];

/** The algorithms that a registration offers, best first: Chromium takes the first that it has. */
export const dbscAlgorithms: readonly DbscAlgorithm[] = algorithms;

/**
 * The parts of a compact JWS with `typ` `dbsc+jwt`, or null for any other text. Says nothing of the
 * signature. Chromium names the key in the header (`jwk`); drafts before had it in the payload
 * (`key`).
 */
export function parseDbscProof(text: string): DbscProof | null {
  if (text.length > limits.dbscProofCharactersMax) return null;
  const [header, payload, signature, ...rest] = text.split('.');
  if (header === undefined || payload === undefined || signature === undefined) return null;
  if (rest.length > 0 || decodeCanonical(signature) === null) return null;
  const says = jsonPart(header);
  const claims = jsonPart(payload);
  if (says === null || claims === null) return null;
  const alg = algorithms.find((known) => known === says.alg);
  if (alg === undefined || says.typ !== 'dbsc+jwt' || says.crit !== undefined) return null;
  if (typeof claims.jti !== 'string') return null;
  const named = says.jwk ?? claims.key;
  const key = named === undefined ? null : importProofKey(alg, named);
  if (typeof key === 'string') return null;
  if (!isTextOrAbsent(claims.aud) || !isTextOrAbsent(claims.sub)) return null;
  return {
    alg,
    key,
    challenge: claims.jti,
    audience: claims.aud ?? null,
    subject: claims.sub ?? null,
    signedText: `${header}.${payload}`,
    signature,
  };
}

/** The key of a registration, if the proof is signed by the very key that it names; else null. */
export function registeredKey({ key, signedText, signature }: DbscProof): DeviceKey | null {
  if (key === null || !isSigned(key, signedText, signature)) return null;
  return { kind: 'dbsc', jkt: key.jkt, jwk: key.jwk };
}

/**
 * Whether a refresh proves `deviceKey`. A proof that names a key itself must name this one: its own
 * word is never what decides.
 */
export function isProofBy(proof: DbscProof, deviceKey: DeviceKey): boolean {
  if (proof.key !== null && proof.key.jkt !== deviceKey.jkt) return false;
  const key = importProofKey(proof.alg, deviceKey.jwk);
  return typeof key !== 'string' && isSigned(key, proof.signedText, proof.signature);
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
