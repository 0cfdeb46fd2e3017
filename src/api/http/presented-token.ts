import type { IncomingMessage } from 'node:http';
import { accessTokenCharactersMax } from '@latchkey/contract/access-token-claims';
import { LatchkeyError } from '../../domain/kernel/errors.ts';

/** An access token as it was sent: alone (RFC 6750), or with a proof of its key (RFC 9449). */
export interface PresentedAccessToken {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly text: string;
}

/** What a request says of its DPoP proof. */
export interface ProofOfRequest {
  /** The `DPoP` header, or null. Two headers come as one text that no proof is. */
  readonly proof: string | null;
  readonly method: string;
  /** Without query. */
  readonly path: string;
}

type HeadersOf = Pick<IncomingMessage, 'headers' | 'rawHeaders'>;

const scheme = /^(bearer|dpop)(?: |$)/i;
const credentials = /^(?:Bearer|DPoP) +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * The token of `Authorization: Bearer …` or `DPoP …`, or null when the request carries none. A
 * header of these that is malformed, overlong or sent twice raises `invalid_token`: it is never
 * taken for no token.
 */
export function presentedToken(request: HeadersOf): PresentedAccessToken | null {
  const token = parse(request);
  if (token !== 'malformed') return token;
  throw new LatchkeyError('invalid_token', { detail: 'malformed Authorization header' });
}

/**
 * The same for an endpoint that also takes other credentials: a header that is malformed counts as
 * none, as a token that is not ours does.
 */
export function optionalPresentedToken(request: HeadersOf): PresentedAccessToken | null {
  const token = parse(request);
  return token === 'malformed' ? null : token;
}

function parse(request: HeadersOf): PresentedAccessToken | null | 'malformed' {
  const header = request.headers.authorization;
  const named = header === undefined ? null : scheme.exec(header);
  if (named === null) return null;
  const text = credentials.exec(header!)?.[1];
  const fits = text !== undefined && text.length <= accessTokenCharactersMax;
  if (!fits || hasTwoAuthorizations(request)) return 'malformed';
  return { scheme: named[1]!.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', text };
}

/** What `request` itself says, at whichever host and under whichever scheme it came. */
export function proofOfRequest(
  request: Pick<IncomingMessage, 'headers' | 'method' | 'url'>,
): ProofOfRequest {
  const { dpop } = request.headers;
  const url = request.url ?? '';
  return {
    proof: typeof dpop === 'string' ? dpop : null,
    method: request.method ?? '',
    path: url.startsWith('/') ? url.split('?', 1)[0]! : (URL.parse(url)?.pathname ?? ''),
  };
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
