import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { LatchkeyError } from '../domain/kernel/errors.ts';
import { oauthErrorAnswer, problemAnswer } from './problem.ts';

export type ReplyHeaders = Readonly<Record<string, string | readonly string[]>>;

/**
 * What a handler answers. A string or Buffer is sent as it is (give its content-type), anything
 * else as JSON.
 */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: ReplyHeaders;
}

/** An answer with a JSON body, or with none. */
export function reply(status: number, body?: unknown, headers?: ReplyHeaders): Reply {
  return { status, body, ...(headers === undefined ? {} : { headers }) };
}

/**
 * Writes a reply. Without a Cache-Control of its own it is `no-store`: most of what we say is about
 * tokens.
 */
export function sendReply(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store');
  if (body !== undefined) response.setHeader('content-type', 'application/json; charset=utf-8');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body === undefined) {
    response.end();
    return;
  }
  const bytes =
    typeof body === 'string' || Buffer.isBuffer(body)
      ? Buffer.from(body as string)
      : Buffer.from(JSON.stringify(body));
  response.setHeader('content-length', bytes.length);
  response.end(bytes);
}

/**
 * Writes an error as the path wants it: RFC 6749 section 5.2 below `/oauth2/`, a problem document
 * elsewhere.
 */
export function sendError(
  response: ServerResponse,
  error: LatchkeyError,
  request: {
    readonly path: string;
    readonly requestId: string;
    readonly headers: IncomingHttpHeaders;
  },
): void {
  const answer = request.path.startsWith('/oauth2/')
    ? oauthErrorAnswer(error)
    : problemAnswer(error, request);
  response.removeHeader('content-length');
  sendReply(response, answer);
}
