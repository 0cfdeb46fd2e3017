import {
  type AccessTokenClaims,
  accessTokenCharactersMax,
  accessTokenTtlSecondsMax,
} from '@latchkey/contract/access-token-claims';
import { isReservedRole } from '@latchkey/contract/reserved-role';
import type { ParsedClaims } from './access-token-claims.ts';
import { parseClaims, parseJsonObject } from './access-token-claims.ts';
import { decodeCanonical } from './canonical-base64url.ts';
import { slotOfId } from './id-table.ts';
import type { KeyOwner, VerificationKey, VerificationKeys } from './key-ring.ts';
import { isSignedBy } from './key-ring.ts';
import type { Instant, LogLeases } from './lease.ts';
import type { RevocationSet } from './revocation-set.ts';
import { TwoGenerationCache } from './two-generation-cache.ts';

export interface VerifierOptions {
  readonly issuer: string;
  readonly keyRing: VerificationKeys;
  readonly revocations: RevocationSet;
  readonly leases: LogLeases;
  /** How far other nodes' clocks may differ; at most the revocation set's. */
  readonly clockSkewSeconds: number;
  /** 0: no cache. */
  readonly cacheBytesMax: number;
}

export interface VerifyOptions extends Instant {
  /**
   * What the token must be meant for: the issuer itself by default. null: the caller looks at `aud`
   * itself.
   */
  readonly audience?: string | null;
  /**
   * The key that the request has proved (`verifyDpopProof`), or that the caller compares `cnf.jkt`
   * with it by itself. Without it a token that is bound to a key is refused (RFC 9449 section 7.2);
   * with a key, one that is bound to none is refused too.
   */
  readonly keyProof?: KeyProof | undefined;
}

/** `jkt`: the thumbprint of the proven key. */
export type KeyProof = 'caller_checks' | { readonly jkt: string };

export type RefusalReason =
  | 'not_a_token'
  | 'too_long'
  | 'header'
  | 'typ'
  | 'alg'
  | 'kid'
  | 'key_unknown'
  | 'key_revoked'
  | 'signature'
  | 'key_owner'
  | 'key_lifetime'
  | 'key_role'
  | 'claims'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'key_unproven'
  | 'not_yet_valid'
  | 'session_revoked'
  | 'client_epoch'
  | 'user_epoch'
  | 'lease'
  | 'clock_behind_pruning';

export interface Refusal {
  readonly ok: false;
  /** `key_needed`: look the key up, then verify again. */
  readonly code: 'invalid_token' | 'token_stale' | 'unavailable' | 'key_needed';
  /** For logs and metrics only: none of the token's own text is in it. */
  readonly reason: RefusalReason;
  /** The kid to look up, with `key_needed`. */
  readonly kid?: string;
}

export type Verification = { readonly ok: true; readonly claims: AccessTokenClaims } | Refusal;

export interface Verifier {
  /** Synchronous, without I/O; it never throws, whichever text `token` is. */
  verify(token: string, options: VerifyOptions): Verification;
  /**
   * Whether this issuer signed it; the token may have expired or been revoked since. For a logout
   * with an expired token: never grant anything because of it. `keyProof` as in `verify`.
   */
  recognize(token: string, keyProof?: KeyProof): Verification;
  readonly cachedTokens: number;
  readonly cachedBytes: number;
}

/**
 * What the cache may remember: that this key signed these claims, and at which revisions of the keys
 * and of the revocation set nothing was revoked that it depends on. Never that it was acceptable:
 * each check asks the clock, the audience and the lease.
 */
interface VerifiedToken extends ParsedClaims {
  readonly ok: true;
  readonly key: VerificationKey;
  readonly token: string;
  keysRevision: number;
  revocationsRevision: number;
}

/**
 * The end of its signature, which no two tokens share: each check hashes it, so it is short. Whether
 * it is that token is compared in full.
 */
const cacheKey = (token: string) => token.slice(-43);

const isSameKey = (keyRing: VerificationKeys, { kid, publicKey }: VerificationKey) =>
  keyRing.find(kid)?.publicKey === publicKey;

/** At least what a cached token and all that is kept for it take, as measured with 2 to 700 roles. */
const cachedBytesOf = (token: string) => token.length * 4;

function cacheOf({ cacheBytesMax }: VerifierOptions) {
  if (cacheBytesMax <= 0) return undefined;
  return new TwoGenerationCache<VerifiedToken>(cacheBytesMax, ({ token }) => cachedBytesOf(token));
}

export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, keyRing, revocations, leases, clockSkewSeconds } = options;
  if (clockSkewSeconds > revocations.clockSkewSeconds) {
    throw new Error('the revocation set would forget tokens that this verifier still accepts');
  }
  const clockSkewMs = clockSkewSeconds * 1000;
  const cache = cacheOf(options);

  function authenticate(token: string): VerifiedToken | Refusal {
    if (typeof token !== 'string') return refuse('not_a_token');
    const cached = cache?.get(cacheKey(token));
    if (cached?.token === token) {
      // A kid that names another key by now, or none, sends its tokens through the whole check again.
      const { key, keysRevision } = cached;
      const isUnchanged = key.owner === null && keysRevision === keyRing.revision;
      if (isUnchanged || isSameKey(keyRing, key)) return cached;
    }
    const verified = authenticateToken(token, keyRing);
    if (verified.ok) cache?.set(cacheKey(token), verified);
    else if (verified.kid !== undefined && revocations.hasKid(verified.kid)) {
      return refuse('key_revoked');
    }
    return verified;
  }

  function refusalNow(token: VerifiedToken, at: VerifyOptions): Refusal | null {
    const { claims } = token;
    const expiresMs = claims.exp * 1000 + clockSkewMs;
    if (claims.iss !== issuer) return refuse('issuer');
    if (!isMeantFor(claims, at.audience, issuer)) return refuse('audience');
    if (!isProven(token.jkt, at.keyProof)) return refuse('key_unproven');
    if (at.now >= expiresMs) return refuse('expired');
    if (at.now < validFromMs(claims) - clockSkewMs) return refuse('not_yet_valid');
    const revoked = refusalOfRevoked(token, keyRing, revocations);
    if (revoked !== null) return revoked;
    if (revocations.prunedThroughMs >= expiresMs) {
      return refuse('clock_behind_pruning', 'unavailable');
    }
    if (!leases.ofSlot(slotOfId(token.sessionId)).allows(at)) return refuse('lease', 'unavailable');
    return null;
  }

  return {
    verify(token, at) {
      const authenticated = authenticate(token);
      if (!authenticated.ok) return authenticated;
      const refusal = refusalNow(authenticated, at);
      if (refusal !== null) return refusal;
      authenticated.key.uses.verifications += 1;
      return { ok: true, claims: authenticated.claims };
    },
    recognize(token, keyProof) {
      const authenticated = authenticate(token);
      if (!authenticated.ok) return authenticated;
      const { claims, key, jkt } = authenticated;
      if (claims.iss !== issuer) return refuse('issuer');
      if (!isProven(jkt, keyProof)) return refuse('key_unproven');
      if (keyRing.find(key.kid)?.status === 'revoked') return refuse('key_revoked');
      return { ok: true, claims };
    },
    get cachedTokens() {
      return cache?.count ?? 0;
    },
    get cachedBytes() {
      return cache?.size ?? 0;
    },
  };
}

/**
 * Asks the key ring and the revocation set only if one of them has changed since this token passed
 * here last.
 */
function refusalOfRevoked(
  token: VerifiedToken,
  keyRing: VerificationKeys,
  revocations: RevocationSet,
): Refusal | null {
  const keysRevision = keyRing.revision;
  const revocationsRevision = revocations.revision;
  const isAsked = token.revocationsRevision === revocationsRevision;
  if (isAsked && token.keysRevision === keysRevision) return null;
  const { claims, key, sessionId, userId, clientId } = token;
  if (keyRing.find(key.kid)?.status === 'revoked') return refuse('key_revoked');
  if (revocations.hasKid(key.kid)) return refuse('key_revoked');
  if (revocations.hasSession(sessionId)) return refuse('session_revoked');
  if (clientId !== null && (claims.client_epoch ?? 0) < revocations.clientEpoch(clientId)) {
    return refuse('client_epoch');
  }
  if (claims.epoch < revocations.userEpoch(userId)) return refuse('user_epoch', 'token_stale');
  token.keysRevision = keysRevision;
  token.revocationsRevision = revocationsRevision;
  return null;
}

function isProven(jkt: string | undefined, proof: KeyProof | undefined): boolean {
  if (proof === undefined) return jkt === undefined;
  return proof === 'caller_checks' || proof.jkt === jkt;
}

/** A token of the future was signed by a node whose clock is wrong. */
function validFromMs({ nbf, iat }: AccessTokenClaims): number {
  return Math.max(nbf, iat) * 1000;
}

function isMeantFor(
  { aud }: AccessTokenClaims,
  audience: VerifyOptions['audience'],
  issuer: string,
): boolean {
  return audience === null || aud.includes(audience ?? issuer);
}

/**
 * Shape, header (RFC 8725 section 3), signature and claims, as far as they do not depend on the
 * moment.
 */
function authenticateToken(token: string, keyRing: VerificationKeys): VerifiedToken | Refusal {
  if (token.length > accessTokenCharactersMax) return refuse('too_long');
  const parts = token.split('.', 4);
  if (parts.length !== 3) return refuse('not_a_token');
  const [header, payload, signature] = parts.map(decodeCanonical);
  if (!header || !payload || !signature) return refuse('not_a_token');

  const read = readHeader(header.toString('utf8'));
  if (!read.ok) return read;
  const key = keyRing.find(read.kid);
  if (key === undefined) return { ...refuse('key_unknown', 'key_needed'), kid: read.kid };
  if (read.alg !== key.alg) return refuse('alg');

  const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'latin1');
  if (!isSignedBy(key, signed, signature)) return refuse('signature');
  const parsed = parseClaims(payload.toString('utf8'));
  if (parsed === null) return refuse('claims');
  const excess = key.owner === null ? null : excessOf(key.owner, parsed.claims);
  if (excess !== null) return refuse(excess);
  return { ok: true, key, token, ...parsed, keysRevision: -1, revocationsRevision: -1 };
}

/**
 * What the issuer would never have let a session's own key sign, or null. One that leaked must be
 * no key for everybody, give nobody rights over Latchkey, and be of use while its session lives.
 */
function excessOf(
  { sessionId, userId }: KeyOwner,
  { sid, sub, iat, exp, roles = [] }: AccessTokenClaims,
): RefusalReason | null {
  if (sid !== sessionId || sub !== userId) return 'key_owner';
  if (exp - iat > accessTokenTtlSecondsMax) return 'key_lifetime';
  return roles.some(isReservedRole) ? 'key_role' : null;
}

const kidPattern = /^[A-Za-z0-9_-]{1,128}$/;

/**
 * Only the three members that the issuer writes: a token can bring neither a key (jwk, jku, x5u,
 * x5c) nor an extension (crit), and a member that stands there twice is not what it was written as.
 */
function readHeader(text: string): { ok: true; kid: string; alg: string } | Refusal {
  const header = parseJsonObject(text);
  if (header === null || JSON.stringify(header) !== text) return refuse('header');
  const { typ, alg, kid, ...others } = header;
  if (Object.keys(others).length > 0) return refuse('header');
  if (typ !== 'at+jwt') return refuse('typ');
  if (typeof alg !== 'string') return refuse('alg');
  if (typeof kid !== 'string' || !kidPattern.test(kid)) return refuse('kid');
  return { ok: true, kid, alg };
}

function refuse(reason: RefusalReason, code: Refusal['code'] = 'invalid_token'): Refusal {
  return { ok: false, code, reason };
}
