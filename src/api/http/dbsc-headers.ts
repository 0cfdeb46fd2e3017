import type { IncomingHttpHeaders } from 'node:http';
import {
  type Item,
  parseItem,
  parseList,
  serializeItem,
  serializeList,
  Token,
} from 'structured-headers';
import type { ReplyHeaders } from './reply.ts';

/**
 * Asks the browser to make a key for the session and to send a proof of it to `path`, which is
 * relative to the request (W3C DBSC, Secure-Session-Registration).
 */
export function registrationHeader(offer: {
  readonly algorithms: readonly string[];
  readonly path: string;
  readonly challenge: string;
}): ReplyHeaders {
  const algorithms = offer.algorithms.map((name): Item => [new Token(name), new Map()]);
  const parameters = new Map([
    ['path', offer.path],
    ['challenge', offer.challenge],
  ]);
  return { 'secure-session-registration': serializeList([[algorithms, parameters]]) };
}

/** Gives the browser what its next proof must sign (W3C DBSC, Secure-Session-Challenge). */
export function challengeHeader(challenge: string, sessionIdentifier: string): ReplyHeaders {
  const parameters = new Map([['id', sessionIdentifier]]);
  return { 'secure-session-challenge': serializeItem([challenge, parameters]) };
}

/** The proof that the browser has signed, unchecked; null when it sent none. */
export function proofHeader(headers: IncomingHttpHeaders): string | null {
  return textOf(headers['secure-session-response']);
}

/** The identifier of the session that the browser wants to refresh; null when it says none. */
export function sessionIdentifierHeader(headers: IncomingHttpHeaders): string | null {
  return textOf(headers['sec-secure-session-id']);
}

/**
 * Why the browser sent the request without a bound cookie that it had to have: `unreachable`,
 * `server_error`, `quota_exceeded`, or null when it says none of these.
 */
export function skippedReason(headers: IncomingHttpHeaders): SkippedReason | null {
  const value = headers['secure-session-skipped'];
  if (typeof value !== 'string') return null;
  try {
    const first = parseList(value)[0]?.[0];
    return skippedReasons.find((reason) => first instanceof Token && reason === `${first}`) ?? null;
  } catch {
    return null;
  }
}

const skippedReasons = ['unreachable', 'server_error', 'quota_exceeded'] as const;
type SkippedReason = (typeof skippedReasons)[number];

/** The draft says a string (RFC 9651); Chromium sends the bare characters, which are a token. */
function textOf(value: string | string[] | undefined): string | null {
  if (typeof value !== 'string') return null;
  try {
    const [item] = parseItem(value);
    if (item instanceof Token) return `${item}`;
    return typeof item === 'string' ? item : null;
  } catch {
    return null;
  }
}
