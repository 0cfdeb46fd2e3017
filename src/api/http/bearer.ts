import type { IncomingMessage } from 'node:http';
import { accessTokenCharactersMax } from '@latchkey/contract/access-token-claims';
import { LatchkeyError } from '../../domain/kernel/errors.ts';

type HeadersOf = Pick<IncomingMessage, 'headers' | 'rawHeaders'>;

const credentials = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * The token of `Authorization: Bearer …` (RFC 6750 section 2.1), or null when the request carries
 * none. A Bearer header that is malformed, overlong or sent twice raises `invalid_token`: it is
 * never taken for no token.
 */
export function bearerToken(request: HeadersOf): string | null {
  const token = parse(request);
  if (token !== 'malformed') return token?.text ?? null;
  throw new LatchkeyError('invalid_token', { detail: 'malformed Authorization header' });
}

/**
 * The same for an endpoint that also takes other credentials: a header that is malformed counts as
 * none, as a bearer that is not ours does.
 */
export function optionalBearerToken(request: HeadersOf): string | null {
  const token = parse(request);
  return token === 'malformed' ? null : (token?.text ?? null);
}

function parse(request: HeadersOf): { text: string } | null | 'malformed' {
  const header = request.headers.authorization;
  if (header === undefined || !/^bearer(?: |$)/i.test(header)) return null;
  const text = credentials.exec(header)?.[1];
  const fits = text !== undefined && text.length <= accessTokenCharactersMax;
  return fits && !hasTwoAuthorizations(request) ? { text } : 'malformed';
}

/** Node keeps the first of two, where another server might keep the last. */
export function hasTwoAuthorizations(request: Pick<IncomingMessage, 'rawHeaders'>): boolean {
  let seen = 0;
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at]!;
    if (name.length === 13 && name.toLowerCase() === 'authorization') seen += 1;
  }
  return seen > 1;
}
