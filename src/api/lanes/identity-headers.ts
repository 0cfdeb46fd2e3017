import type { AccessTokenClaims } from '@latchkey/contract/access-token-claims';
import { LatchkeyError } from '../../domain/kernel/errors.ts';

/**
 * Stands for a claim that holds nothing. An empty header would let a forged one live: some gateways
 * copy only what is not empty.
 */
const nothing = '-';

/** Visible ASCII; a comma separates roles. */
const headerSafe = /^[\x21-\x7e]+$/;
const roleSafe = /^[\x21-\x2b\x2d-\x7e]+$/;

/** A cached token hands out the same frozen claims each time. */
const headersOf = new WeakMap<AccessTokenClaims, string[]>();

/**
 * Who it is, for a gateway to copy: name and value in turn, the form that `writeHead` passes on
 * without copying. Raises `internal_error` for a claim that no header can hold, which only we can
 * have signed.
 */
export function identityHeaders(claims: AccessTokenClaims): string[] {
  const known = headersOf.get(claims);
  if (known !== undefined) return known;
  const headers = [
    'X-Auth-Subject',
    safe('sub', claims.sub),
    'X-Auth-Session',
    safe('sid', claims.sid),
    'X-Auth-Roles',
    roleList(claims.roles ?? []),
    'X-Auth-Device-Type',
    safe('device_type', claims.device_type),
    'Cache-Control',
    'no-store',
  ];
  headersOf.set(claims, Object.freeze(headers) as string[]);
  return headers;
}

function roleList(roles: readonly string[]): string {
  if (!roles.every((role) => roleSafe.test(role))) throw unfit('roles');
  return roles.length === 0 ? nothing : roles.join(',');
}

function safe(claim: string, value: string | undefined): string {
  if (value === undefined || value === '') return nothing;
  if (!headerSafe.test(value)) throw unfit(claim);
  return value;
}

function unfit(claim: string): LatchkeyError {
  return new LatchkeyError('internal_error', { detail: `no header can hold the claim ${claim}` });
}
