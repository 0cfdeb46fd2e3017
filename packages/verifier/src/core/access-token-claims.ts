import { type AccessTokenClaims, firstPartyClientId } from '@latchkey/contract/access-token-claims';
import type { Id } from './id-table.ts';
import { parseId } from './id-table.ts';

/**
 * A token whose shape and signature are right; whether it may be accepted now is another question.
 */
export interface ParsedClaims {
  readonly claims: AccessTokenClaims;
  readonly sessionId: Id;
  readonly userId: Id;
  /** null for the first party, which no disabled client can touch. */
  readonly clientId: Id | null;
  /** Thumbprint of the key that it is bound to (RFC 9449 section 6.1). */
  readonly jkt: string | undefined;
}

const stringClaims = ['iss', 'sub', 'jti', 'client_id', 'sid', 'device_type'] as const;
const integerClaims = ['exp', 'iat', 'nbf', 'auth_time', 'epoch'] as const;
const listClaims = ['aud', 'amr'] as const;
const profileClaims = ['email', 'name', 'phone_number'] as const;

/**
 * null unless every claim has its type and the text is as `JSON.stringify` writes it: of a member
 * that stands there twice, two readers may take different ones. The claims are frozen, because a
 * cached token hands the same object to every caller. Empty `roles` and `scope` are left out.
 */
export function parseClaims(payload: string): ParsedClaims | null {
  const claims = parseJsonObject(payload);
  if (claims === null || JSON.stringify(claims) !== payload) return null;
  for (const name of stringClaims) if (typeof claims[name] !== 'string') return null;
  for (const name of integerClaims) if (!isCount(claims[name])) return null;
  for (const name of listClaims) if (!isStringList(claims[name])) return null;
  const { acr, roles, scope } = claims;
  if (acr !== undefined && typeof acr !== 'string') return null;
  if (roles !== undefined && !isStringList(roles)) return null;
  if (scope !== undefined && typeof scope !== 'string') return null;
  if (!isConfirmation(claims.cnf) || !hasProfile(claims)) return null;
  if ((roles as string[] | undefined)?.length === 0) delete claims.roles;
  if (scope === '') delete claims.scope;
  return identify(claims as unknown as AccessTokenClaims);
}

function identify(claims: AccessTokenClaims): ParsedClaims | null {
  const sessionId = parseId(claims.sid);
  const userId = parseId(claims.sub);
  const clientId = parseId(claims.client_id);
  if (sessionId === null || userId === null) return null;
  if (!claims.jti.startsWith(`${claims.sid}.`)) return null;
  if (clientId === null && claims.client_id !== firstPartyClientId) return null;
  if (clientId !== null && !isCount(claims.client_epoch)) return null;
  for (const value of Object.values(claims)) freeze(value);
  const jkt = claims.cnf?.jkt;
  return { claims: Object.freeze(claims), sessionId, userId, clientId, jkt };
}

/** null for anything but one JSON object. */
export function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** With all that it holds, which is as deep as the length of a token lets it be. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
}

function hasProfile(claims: Record<string, unknown>): boolean {
  const isText = (value: unknown) => value === undefined || typeof value === 'string';
  const { email_verified: verified } = claims;
  if (verified !== undefined && typeof verified !== 'boolean') return false;
  return profileClaims.every((name) => isText(claims[name]));
}

const thumbprint = /^[A-Za-z0-9_-]{43}$/;

/** A token that is bound in a way that is unknown here must not pass for one that is not bound. */
function isConfirmation(cnf: unknown): boolean {
  if (cnf === undefined) return true;
  if (typeof cnf !== 'object' || cnf === null) return false;
  const { jkt, ...others } = cnf as Record<string, unknown>;
  return typeof jkt === 'string' && thumbprint.test(jkt) && Object.keys(others).length === 0;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStringList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
