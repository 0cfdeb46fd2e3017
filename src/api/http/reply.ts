import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { LatchkeyError } from '../../domain/kernel/errors.ts';
import { errorAnswer, type FailureStyle } from './problem.ts';
import { bodyIsOnItsWay, discardBody } from './request-body.ts';

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
    endAnswer(response);
    return;
  }
  const content = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
  response.setHeader('content-length', Buffer.byteLength(content));
  endAnswer(response, content);
}

const lastAnswered = new WeakSet<Socket>();

/** Whether `socket` has its last answer and only waits for the rest of a body. */
export function hasLastAnswer(socket: Socket): boolean {
  return lastAnswered.has(socket);
}

/**
 * Sends an answer whose status and headers are set. While an announced body is not completely here,
 * nobody can say whether the next bytes are body or request: the answer says that the connection
 * closes, goes out at once, and what still comes is read for a while, so that no reset overtakes it
 * (RFC 9112 sections 9.3 and 9.6).
 */
export function endAnswer(response: ServerResponse, content?: string | Buffer): void {
  const request = response.req;
  if (!bodyIsOnItsWay(request)) {
    response.end(content);
    return;
  }
  response.shouldKeepAlive = false;
  lastAnswered.add(request.socket);
  const bodiless = response.statusCode === 204 || response.statusCode === 304;
  if (content === undefined && !bodiless && !response.headersSent) {
    response.setHeader('content-length', 0);
  }
  response.flushHeaders();
  if (content !== undefined) response.write(content);
  void discardBody(request).then(() => response.end());
}

/** Writes an error as its route declares it. */
export function sendError(
  response: ServerResponse,
  error: LatchkeyError,
  request: {
    readonly failsAs: FailureStyle;
    readonly requestId: string;
    readonly headers: IncomingHttpHeaders;
  },
): void {
  response.removeHeader('content-length');
  sendReply(response, errorAnswer(request.failsAs, error, request));
}
