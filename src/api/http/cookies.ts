import { invalidField } from '../../domain/kernel/errors.ts';

export const refreshCookieName = '__Host-latchkey_refresh';

/** Of a session that is bound to a key of the browser; its value expires by itself, too. */
export const boundCookieName = '__Host-latchkey_bound';

const deviceCookieName = '__Host-latchkey_device';
/** The longest that browsers keep a cookie. */
const deviceCookieMaxAgeSeconds = 400 * 24 * 60 * 60;

/** Those of every cookie of ours, as the session instructions of a bound session repeat them. */
export const cookieAttributes = 'Path=/; HttpOnly; Secure; SameSite=Strict';

/** A Set-Cookie value that keeps the refresh token for `maxAgeSeconds`. */
export function setRefreshCookie(refreshToken: string, maxAgeSeconds: number): string {
  const age = Math.max(0, Math.floor(maxAgeSeconds));
  return `${refreshCookieName}=${refreshToken}; Max-Age=${age}; ${cookieAttributes}`;
}

/** A Set-Cookie value that removes the refresh token. */
export function clearRefreshCookie(): string {
  return `${refreshCookieName}=; Max-Age=0; ${cookieAttributes}`;
}

/** A Set-Cookie value that keeps the bound cookie for `maxAgeSeconds`. */
export function setBoundCookie(value: string, maxAgeSeconds: number): string {
  return `${boundCookieName}=${value}; Max-Age=${maxAgeSeconds}; ${cookieAttributes}`;
}

/** A Set-Cookie value that removes the bound cookie. */
export function clearBoundCookie(): string {
  return `${boundCookieName}=; Max-Age=0; ${cookieAttributes}`;
}

/** A Set-Cookie value that keeps the device token. */
export function setDeviceCookie(deviceToken: string): string {
  const age = deviceCookieMaxAgeSeconds;
  return `${deviceCookieName}=${deviceToken}; Max-Age=${age}; ${cookieAttributes}`;
}

/** A Set-Cookie value that removes the device token. */
export function clearDeviceCookie(): string {
  return `${deviceCookieName}=; Max-Age=0; ${cookieAttributes}`;
}

/** The device token of a Cookie header, the first of several, or null. It is no credential. */
export function deviceCookie(header: string | undefined): string | null {
  for (const pair of header?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals === -1 || trimmed(pair.slice(0, equals)) !== deviceCookieName) continue;
    return trimmed(pair.slice(equals + 1));
  }
  return null;
}

/**
 * The refresh token of a Cookie header, or null. Our cookie twice raises `invalid_request`:
 * somebody planted one of them, and choosing would be guessing.
 */
export function refreshCookie(header: string | undefined): string | null {
  return soleCookie(header, refreshCookieName, 'refresh');
}

/** The bound cookie of a Cookie header, or null; twice raises `invalid_request`, too. */
export function boundCookie(header: string | undefined): string | null {
  return soleCookie(header, boundCookieName, 'bound');
}

function soleCookie(header: string | undefined, name: string, word: string): string | null {
  if (header === undefined || !header.includes(name)) return null;
  let found: string | null = null;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || trimmed(pair.slice(0, equals)) !== name) continue;
    if (found !== null) {
      throw invalidField('cookie', `the ${word} cookie was sent twice`);
    }
    found = trimmed(pair.slice(equals + 1));
  }
  return found === '' ? null : found;
}

/** Only what RFC 6265 section 5.4 may put there: a name with another space around is another name. */
function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
