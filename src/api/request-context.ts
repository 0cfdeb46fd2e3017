import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { limits } from '../domain/kernel/limits.ts';
import { newId } from '../platform/new-id.ts';
import { type AddressRange, clientAddress } from './client-address.ts';

/** Who acts, as the event log records it. */
export interface Actor {
  readonly type: 'anonymous' | 'user' | 'client';
  readonly id: string | null;
}

/** The bearer of a good access token. `authenticatedAt` is epoch milliseconds. */
export interface Caller {
  readonly userId: string;
  readonly sessionId: string;
  readonly clientId: string | null;
  readonly roles: readonly string[];
  /** A role was granted after the token was made: a refresh may bring it (`missingRight`). */
  readonly lacksNewRoles: boolean;
  readonly scopes: readonly string[];
  readonly authenticatedAt: number;
}

/** A client that proved its secret, or a public one that named itself. */
export interface ClientCaller {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly audiences: readonly string[];
}

/** What `meta` of an event holds. */
export interface RequestMeta {
  readonly request_id: string;
  readonly correlation_id: string;
  readonly actor: Actor;
}

/** One request as routes and commands see it. No field of it that names a person is ever logged. */
export interface RequestContext {
  readonly requestId: string;
  readonly correlationId: string;
  readonly clientAddress: string;
  readonly userAgent: string | null;
  readonly log: Logger;
  /** performance.now() when the whole request, body included, had been read. */
  arrivedAt: number;
  actor: Actor;
  meta(): RequestMeta;
}

const acceptedId = /^[A-Za-z0-9._-]{1,64}$/;

/** A caller's `X-Request-Id` when it is a plain short one, else a new id. */
export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  return plainId(request.headers['x-request-id']) ?? newId();
}

/** The context of a request that has just begun to arrive. */
export function createRequestContext(
  request: IncomingMessage,
  options: { readonly log: Logger; readonly trustedProxies: readonly AddressRange[] },
): RequestContext {
  const requestId = requestIdOf(request);
  const correlationId = plainId(request.headers['x-correlation-id']) ?? requestId;
  const forwardedFor = request.headers['x-forwarded-for'];
  return {
    requestId,
    correlationId,
    clientAddress: clientAddress(
      request.socket.remoteAddress,
      Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor,
      options.trustedProxies,
    ),
    userAgent: printableUserAgent(request.headers['user-agent']),
    log: options.log.child({ request_id: requestId }),
    arrivedAt: performance.now(),
    actor: { type: 'anonymous', id: null },
    meta() {
      return { request_id: requestId, correlation_id: correlationId, actor: this.actor };
    },
  };
}

function plainId(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && acceptedId.test(header) ? header : null;
}

function printableUserAgent(header: string | undefined): string | null {
  if (header === undefined || header === '') return null;
  return header.slice(0, limits.userAgentCharactersMax).replaceAll('\0', '').toWellFormed();
}
