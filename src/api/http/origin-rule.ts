import type { IncomingHttpHeaders } from 'node:http';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { isJson } from './request-body.ts';

export interface OriginPolicy {
  readonly issuerOrigin: string;
  /** Exact origins, `scheme://host[:port]`, lower case. */
  readonly allowedOrigins: readonly string[];
}

/** Where this installation's own pages and the listed ones stand. */
export function originPolicy({ tokens, browser }: OriginSettings): OriginPolicy {
  return {
    issuerOrigin: new URL(tokens.issuer).origin,
    allowedOrigins: browser.allowedOrigins,
  };
}

interface OriginSettings {
  readonly tokens: { readonly issuer: string };
  readonly browser: { readonly allowedOrigins: readonly string[] };
}

/** Where a request of cookie mode may come from, decided by what only a browser can set. */
export function originRule(
  headers: IncomingHttpHeaders,
  policy: OriginPolicy,
): 'ok' | 'origin_refused' {
  const origin = headers.origin;
  const listed = origin !== undefined && policy.allowedOrigins.includes(origin);
  switch (headers['sec-fetch-site']) {
    case 'same-origin':
      return 'ok';
    case 'same-site':
      return listed ? 'ok' : 'origin_refused';
    case undefined:
      return listed || origin === policy.issuerOrigin ? 'ok' : 'origin_refused';
    default:
      return 'origin_refused';
  }
}

/**
 * Guards a request that carries the refresh cookie or asks for one: JSON only, so that no plain
 * form can send it (`unsupported_media_type`), and from an accepted origin (`origin_refused`).
 */
export function guardCookieMode(headers: IncomingHttpHeaders, policy: OriginPolicy): void {
  if (!isJson(headers['content-type'])) throw new LatchkeyError('unsupported_media_type');
  guardOrigin(headers, policy);
}

/** Guards a request that a browser sends by itself for one of our pages: without a body. */
export function guardOrigin(headers: IncomingHttpHeaders, policy: OriginPolicy): void {
  if (originRule(headers, policy) !== 'ok') throw new LatchkeyError('origin_refused');
}
