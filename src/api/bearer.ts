import type { IncomingMessage } from 'node:http';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { limits } from '../domain/kernel/limits.ts';

const credentials = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * The token of `Authorization: Bearer …` (RFC 6750 section 2.1), or null when the request carries
 * none. A Bearer header that is malformed, overlong or sent twice raises `invalid_token`: it is
 * never taken for no token.
 */
export function bearerToken(
  request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
): string | null {
  const header = request.headers.authorization;
  if (header === undefined || !/^bearer(?: |$)/i.test(header)) return null;
  const token = credentials.exec(header)?.[1];
  if (token === undefined || token.length > limits.accessTokenCharactersMax || sentTwice(request)) {
    throw new LatchkeyError('invalid_token', { detail: 'malformed Authorization header' });
  }
  return token;
}

function sentTwice(request: Pick<IncomingMessage, 'rawHeaders'>): boolean {
  let seen = 0;
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at]!;
    if (name.length === 13 && name.toLowerCase() === 'authorization') seen += 1;
  }
  return seen > 1;
}
