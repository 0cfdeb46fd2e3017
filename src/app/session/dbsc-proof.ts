import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { limits } from '../../domain/kernel/limits.ts';
import { sha256 } from '../../domain/kernel/sha256.ts';
import type { DeviceKey, PublicJwk } from '../../domain/session/device-key.ts';

/** What a browser has signed with the key of one of its sessions (W3C DBSC, "DBSC proof"). */
export interface DbscProof {
  readonly alg: DbscAlgorithm;
  /** The key that the proof names itself: in a registration; null in a refresh. */
  readonly jwk: PublicJwk | null;
  readonly challenge: string;
  /** The URL that it was made for, and the session, where the browser says them. */
  readonly audience: string | null;
  readonly subject: string | null;
  readonly signedText: string;
  readonly signature: Buffer;
}

const algorithms = ['ES256', 'RS256'] as const;
export type DbscAlgorithm = (typeof algorithms)[number];

/** The algorithms that a registration offers, best first: Chromium takes the first that it has. */
export const dbscAlgorithms: readonly DbscAlgorithm[] = algorithms;

const base64url = /^[A-Za-z0-9_-]+$/;
const rsaBits = { min: 2048, max: 4096 } as const;
const rsaExponentMax = 0xffff_ffffn;
const es256SignatureBytes = 64;

/**
 * The parts of a compact JWS with `typ` `dbsc+jwt`, or null for any other text. Says nothing of the
 * signature. Chromium names the key in the header (`jwk`); drafts before had it in the payload
 * (`key`).
 */
export function parseDbscProof(text: string): DbscProof | null {
  if (text.length > limits.dbscProofCharactersMax) return null;
  const [header, payload, signature, ...rest] = text.split('.');
  if (header === undefined || payload === undefined || signature === undefined) return null;
  if (rest.length > 0 || !base64url.test(signature)) return null;
  const says = jsonObject(header);
  const claims = jsonObject(payload);
  if (says === null || claims === null) return null;
  const alg = algorithms.find((known) => known === says.alg);
  if (alg === undefined || says.typ !== 'dbsc+jwt' || says.crit !== undefined) return null;
  if (typeof claims.jti !== 'string') return null;
  const named = says.jwk ?? claims.key;
  const jwk = named === undefined ? null : publicJwk(named, alg);
  if (named !== undefined && jwk === null) return null;
  if (!isTextOrAbsent(claims.aud) || !isTextOrAbsent(claims.sub)) return null;
  return {
    alg,
    jwk,
    challenge: claims.jti,
    audience: claims.aud ?? null,
    subject: claims.sub ?? null,
    signedText: `${header}.${payload}`,
    signature: Buffer.from(signature, 'base64url'),
  };
}

/** Whether the holder of the private key of `jwk` signed it, with the key's own algorithm. */
function isSignedBy(proof: DbscProof, jwk: PublicJwk): boolean {
  if (algorithmOf(jwk) !== proof.alg) return false;
  if (proof.alg === 'ES256' && proof.signature.length !== es256SignatureBytes) return false;
  const key = keyOf(jwk);
  if (key === null) return false;
  const data = Buffer.from(proof.signedText);
  return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, proof.signature);
}

/** The key of a registration, if the proof is signed by the very key that it names; else null. */
export function registeredKey(proof: DbscProof): DeviceKey | null {
  if (proof.jwk === null || !isSignedBy(proof, proof.jwk)) return null;
  return { kind: 'dbsc', jkt: thumbprint(proof.jwk), jwk: proof.jwk };
}

/**
 * Whether a refresh proves `key`. A proof that names a key itself must name this one: its own word
 * is never what decides.
 */
export function provesKey(proof: DbscProof, key: DeviceKey): boolean {
  if (proof.jwk !== null && thumbprint(proof.jwk) !== key.jkt) return false;
  return isSignedBy(proof, key.jwk);
}

function jsonObject(part: string): Record<string, unknown> | null {
  if (!base64url.test(part)) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

/** The public members of a key for `alg`, or null when it is none. */
function publicJwk(given: unknown, alg: DbscAlgorithm): PublicJwk | null {
  const members = typeof given === 'object' && given !== null ? { ...given } : {};
  const { kty, crv, x, y, n, e } = members as Record<string, unknown>;
  const jwk = alg === 'ES256' ? { crv, kty, x, y } : { e, kty, n };
  const isText = Object.values(jwk).every((value) => typeof value === 'string');
  if (!isText || algorithmOf(jwk as PublicJwk) !== alg) return null;
  return keyOf(jwk as PublicJwk) === null ? null : (jwk as PublicJwk);
}

function algorithmOf({ kty, crv }: PublicJwk): DbscAlgorithm | null {
  if (kty === 'EC') return crv === 'P-256' ? 'ES256' : null;
  return kty === 'RSA' ? 'RS256' : null;
}

/** Null for a point that is not on the curve, or an RSA key that is too short or too slow. */
function keyOf(jwk: PublicJwk): KeyObject | null {
  try {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    const { modulusLength: bits, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
    if (bits === undefined) return key;
    const fits = bits >= rsaBits.min && bits <= rsaBits.max && publicExponent <= rsaExponentMax;
    return fits ? key : null;
  } catch {
    return null;
  }
}

/** RFC 7638: the members in the order of their names, which `publicJwk` has put them in. */
function thumbprint(jwk: PublicJwk): string {
  const ordered = Object.entries(jwk).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify(Object.fromEntries(ordered)));
}
