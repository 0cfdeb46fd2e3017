import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Actor } from '../../domain/kernel/actor.ts';
import type { Authentication } from '../../domain/kernel/authentication-demand.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { type AddressRange, clientAddress, isTrustedPeer } from '../../platform/client-address.ts';
import { newId } from '../../platform/crypto/new-id.ts';

/** The bearer of a good access token. */
export interface Caller {
  readonly userId: string;
  readonly sessionId: string;
  readonly roles: readonly string[];
  /** A role was granted after the token was made: a refresh may bring it (`missingRight`). */
  readonly lacksNewRoles: boolean;
  readonly scopes: readonly string[];
  /** How and when the user has proved to be the user. */
  readonly authentication: Authentication;
}

/** A client that proved its secret, or a public one that named itself. */
export interface ClientCaller {
  readonly clientId: string;
}

/** One request as routes and commands see it. No field of it that names a person is ever logged. */
export interface RequestContext {
  /** Our own, never the caller's: it stands in events, log lines and the answer. */
  readonly requestId: string;
  /** A trusted proxy's, else the request's own. */
  readonly correlationId: string;
  readonly address: string;
  readonly userAgent: string | null;
  readonly log: Logger;
  /** Whether the client hung up. */
  readonly hasLeft: () => boolean;
  /** performance.now() when the whole request, body included, had been read. */
  arrivedAt: number;
  /** As far as the request has proven it. */
  actor: Actor;
  /** For the client's next DPoP proof: it leaves with the answer. */
  dpopNonce?: string | undefined;
  /** Whether the answer is the last one on its connection. */
  closesConnection?: boolean;
}

const shortPlainText = /^[A-Za-z0-9._-]{1,64}$/;
/** A UUID, a trace id (W3C Trace Context), or what nginx and others draw: nothing that a name fits. */
const drawnId =
  /^(?:[0-9a-f]{16,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/i;

/**
 * What a log line tells of the caller's own `X-Request-Id`, when it is plain and short. It goes no
 * further: an event is kept for ever, and the header may hold a person's name.
 */
export function callerRequestId(
  request: Pick<IncomingMessage, 'headers'>,
): { readonly caller_request_id: string } | undefined {
  const id = request.headers['x-request-id'];
  if (typeof id !== 'string' || !shortPlainText.test(id)) return undefined;
  return { caller_request_id: id };
}

/** The context of a request that has just begun to arrive. */
export function createRequestContext(
  request: IncomingMessage,
  options: { readonly log: Logger; readonly trustedProxies: readonly AddressRange[] },
): RequestContext {
  const requestId = newId();
  const correlationId = proxyCorrelationId(request, options.trustedProxies) ?? requestId;
  const forwardedFor = request.headers['x-forwarded-for'];
  return {
    requestId,
    correlationId,
    address: clientAddress(
      request.socket.remoteAddress,
      Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor,
      options.trustedProxies,
    ),
    userAgent: printableUserAgent(request.headers['user-agent']),
    hasLeft: () => request.socket.destroyed || !request.socket.writable,
    log: options.log.child({ request_id: requestId, ...callerRequestId(request) }),
    arrivedAt: performance.now(),
    actor: { type: 'anonymous', id: null },
  };
}

/**
 * The id by which a trusted proxy ties several requests together. Many proxies pass their client's
 * header on, so even theirs must be drawn, not written.
 */
function proxyCorrelationId(
  { headers, socket }: IncomingMessage,
  trustedProxies: readonly AddressRange[],
): string | null {
  if (!isTrustedPeer(socket.remoteAddress, trustedProxies)) return null;
  for (const id of [headers['x-correlation-id'], headers['x-request-id']]) {
    if (typeof id === 'string' && drawnId.test(id)) return id;
  }
  return null;
}

function printableUserAgent(header: string | undefined): string | null {
  if (header === undefined || header === '') return null;
  return header.slice(0, limits.userAgentCharactersMax).replaceAll('\0', '').toWellFormed();
}
