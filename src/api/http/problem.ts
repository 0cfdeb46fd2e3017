import type { IncomingHttpHeaders } from 'node:http';
import { dpopAlgorithms } from '@latchkey/contract/dpop';
import type { ErrorCode } from '@latchkey/contract/error-code';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { type ProblemKind, problemKinds } from './problem-kinds.ts';

/**
 * How a refusal is written. `problem`: RFC 9457. `oauth`: RFC 6749 section 5.2. `page`: HTML for the
 * person in front of a browser.
 */
export type FailureStyle = 'problem' | 'oauth' | 'page';

/** An answer that is ready to be written: status, headers with lower-case names, and a body. */
export interface ErrorAnswer<Body = Readonly<Record<string, unknown>>> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

interface Refused {
  readonly requestId: string;
  readonly headers: IncomingHttpHeaders;
}

/** `error` as a route that fails as `style` answers it. */
export function errorAnswer(
  style: FailureStyle,
  error: LatchkeyError,
  request: Refused,
): ErrorAnswer<unknown> {
  switch (style) {
    case 'problem':
      return problemAnswer(error, request);
    case 'oauth':
      return oauthErrorAnswer(error);
    case 'page':
      return pageAnswer(error, request);
  }
}

const retryAfterSecondsDefault = 1;

/** The status and published code that a client meets for `code`. */
export function published(code: ErrorCode): { status: number; code: ErrorCode; title: string } {
  const kind: ProblemKind = problemKinds[code];
  return { status: kind.status, code: kind.publishedAs ?? code, title: kind.title };
}

/** Every code that a client can meet, once. */
export function publishedErrors(): { status: number; code: ErrorCode; title: string }[] {
  const codes = Object.keys(problemKinds) as ErrorCode[];
  return codes.filter((code) => published(code).code === code).map(published);
}

/**
 * A failed parse of the path or of a header is the client's; everything else unknown is ours: 500,
 * without detail.
 */
export function toLatchkeyError(error: unknown): LatchkeyError {
  if (error instanceof LatchkeyError) return error;
  if (error instanceof URIError) return new LatchkeyError('invalid_request', { cause: error });
  return new LatchkeyError('internal_error', { cause: error });
}

/**
 * The problem document (RFC 9457) of an error with its headers: a challenge on 401 and on
 * `insufficient_scope`, `Bearer` (RFC 6750 section 3, RFC 9470 section 3) or, for a proof and a token
 * that came with one, `DPoP` (RFC 9449 section 7.1); Retry-After in seconds on 429 and 503, and on any
 * other error that says how long to wait; DPoP-Nonce on an error that has one.
 */
function problemAnswer(error: LatchkeyError, request: Refused): ErrorAnswer {
  const { status, code, title } = published(error.code);
  return {
    status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
      ...challenge(error, status, request.headers.authorization),
      ...retryAfter(error, status),
      ...dpopNonce(error),
    },
    body: {
      ...error.facts,
      type: `/docs#error-${code}`,
      title,
      status,
      code,
      request_id: request.requestId,
      ...(error.errors === undefined ? {} : { errors: error.errors }),
    },
  };
}

/**
 * The error of an OAuth endpoint (RFC 6749 section 5.2). Failed client authentication is a `Basic`
 * challenge; `invalid_grant` and the errors of a DPoP proof (RFC 9449 section 5) are 400 there, also
 * where a problem has another status.
 */
function oauthErrorAnswer(error: LatchkeyError): ErrorAnswer {
  const kind: ProblemKind = problemKinds[error.code];
  const isBadRequest = kind.oauth === 'invalid_grant' || proofCodes.includes(error.code);
  const status = isBadRequest ? 400 : kind.status;
  const first = error.errors?.[0];
  const description = first === undefined ? kind.title : `${first.path}: ${first.message}`;
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="latchkey", charset="UTF-8"' } : {}),
      ...retryAfter(error, status),
      ...dpopNonce(error),
    },
    body: { error: kind.oauth, error_description: printable(description) },
  };
}

/** The headers of the problem document, and a page that says the same: nothing a stranger wrote. */
function pageAnswer(error: LatchkeyError, request: Refused): ErrorAnswer<string> {
  const { status, headers } = problemAnswer(error, request);
  const { code, title } = published(error.code);
  return {
    status,
    headers: { ...headers, 'content-type': 'text/html; charset=utf-8' },
    body:
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>` +
      `<h1>${title}</h1>` +
      `<p><code>${code}</code>, request <code>${request.requestId}</code></p></html>`,
  };
}

const transportTitles = {
  400: 'The request is not valid',
  408: 'The request did not arrive in time',
  417: 'The expectation cannot be met',
  431: 'The request headers are too large',
} as const;

/** The problem document of a request that never became one: HTTP itself could not be parsed. */
export function transportProblem(
  status: keyof typeof transportTitles,
  requestId: string,
): ErrorAnswer {
  return {
    status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
    },
    body: {
      type: '/docs#error-invalid_request',
      title: transportTitles[status],
      status,
      code: 'invalid_request',
      request_id: requestId,
    },
  };
}

const tokenCodes: readonly ErrorCode[] = [
  'invalid_token',
  'token_stale',
  'session_ended',
  'session_superseded',
];

const proofCodes: readonly ErrorCode[] = ['use_dpop_nonce', 'invalid_dpop_proof'];

/** The refusals of a good token, or of a proof: each names itself in the challenge. */
const ownCodes: readonly ErrorCode[] = [
  ...proofCodes,
  'insufficient_scope',
  'insufficient_user_authentication',
];

function challenge(
  { code, facts }: LatchkeyError,
  status: number,
  authorization: string | undefined,
): Record<string, string> {
  if (status !== 401 && code !== 'insufficient_scope') return {};
  const isProof = proofCodes.includes(code);
  const scheme = isProof || /^dpop /i.test(authorization ?? '') ? 'DPoP' : 'Bearer';
  const tokenSent = /^(?:bearer|dpop) /i.test(authorization ?? '');
  const isStepUp = code === 'insufficient_user_authentication';
  const saysItself = ownCodes.includes(code);
  const said = saysItself ? code : 'invalid_token';
  const refused = saysItself || (tokenSent && tokenCodes.includes(code));
  return {
    'www-authenticate': [
      `${scheme} realm="latchkey"`,
      ...(refused ? [`error="${said}"`] : []),
      ...(isStepUp ? Object.entries(facts ?? {}).map(([name, value]) => `${name}="${value}"`) : []),
      ...(scheme === 'DPoP' ? [`algs="${dpopAlgorithms.join(' ')}"`] : []),
    ].join(', '),
  };
}

function dpopNonce(error: LatchkeyError): Record<string, string> {
  return error.dpopNonce === undefined ? {} : { 'dpop-nonce': error.dpopNonce };
}

function retryAfter(error: LatchkeyError, status: number): Record<string, string> {
  if (status !== 429 && status !== 503 && error.retryAfterSeconds === undefined) return {};
  const seconds = Math.max(1, Math.ceil(error.retryAfterSeconds ?? retryAfterSecondsDefault));
  return { 'retry-after': String(seconds) };
}

/** `error_description` may hold only these characters (RFC 6749 section 5.2). */
function printable(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 200);
}
