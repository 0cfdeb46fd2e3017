import type { IncomingMessage, ServerResponse } from 'node:http';
import { authenticateClient } from '../../app/client/authenticate-client.ts';
import { introspect } from '../../app/session/introspect.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { acceptedClaims } from '../../node/accepted-claims.ts';
import type { NodeMemory } from '../../node/node-memory.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { LogSampler } from '../../platform/logging/log-sampler.ts';
import type { Logger } from '../../platform/logging/logging.ts';
import { bearerToken } from '../http/bearer.ts';
import { clientCredentials } from '../http/client-credentials.ts';
import type { InFlight } from '../http/in-flight.ts';
import { missingRight } from '../http/missing-right.ts';
import { toLatchkeyError } from '../http/problem.ts';
import { endAnswer, sendError, sendReply } from '../http/reply.ts';
import { bodyIsOnItsWay, readFormParameters } from '../http/request-body.ts';
import { callerRequestId } from '../http/request-context.ts';
import {
  type Demands,
  demandsOfHeader,
  demandsOfQuery,
  noDemands,
  refused as refusedDemand,
} from './gateway-demands.ts';
import { identityHeaders } from './identity-headers.ts';

export interface FastLaneOptions {
  readonly memory: Pick<NodeMemory, 'verify' | 'verifyFor' | 'lacksNewRoles' | 'client'>;
  /** Counts by result; read when somebody scrapes. */
  readonly verifications: Record<string, number>;
  readonly log: Pick<Logger, 'info' | 'debug' | 'error'>;
  readonly inFlight: Pick<InFlight, 'add' | 'delete'>;
}

/** Demands come in the query. */
const verifyPaths = ['/auth/verify', '/api/auth/verify'] as const;
/** Path and query are the client's; demands come in a header. */
const forwardPaths = ['/auth/forward', '/api/auth/forward'] as const;
const introspectPath = /^\/oauth2\/introspect(?:\?|$)/;

/**
 * Answers forward-auth (`/auth/verify`, any method) and introspection before Express sees the
 * request: from memory, without a statement and without a log line when the token is good. Returns
 * false when the request is for somebody else.
 */
export function createFastLane(options: FastLaneOptions) {
  const { memory, verifications, log, inFlight } = options;
  const refusals = new LogSampler();

  const refused = (error: LatchkeyError, requestId: string, request: IncomingMessage) => {
    verifications[error.code] = (verifications[error.code] ?? 0) + 1;
    const sampled = refusals.admit(error.code);
    if (sampled === null) return;
    const ids = { request_id: requestId, ...callerRequestId(request) };
    const facts = { ...ids, code: error.code, detail: error.detail, ...sampled };
    if (error.code === 'internal_error') log.error({ ...facts, err: error.cause }, 'failed');
    else log.info(facts, 'verify refused');
  };

  const introspection = async (request: IncomingMessage, response: ServerResponse) => {
    inFlight.add(response);
    response.once('close', () => inFlight.delete(response));
    try {
      const form = await readFormParameters(request);
      const client = authenticateClient(memory, clientCredentials(request, form));
      const answer = introspect(memory, client, requiredToken(form));
      const result = answer.active ? 'accepted' : 'inactive';
      verifications[result] = (verifications[result] ?? 0) + 1;
      sendReply(response, { status: 200, body: answer });
    } catch (thrown) {
      const error = toLatchkeyError(thrown);
      const requestId = newId();
      refused(error, requestId, request);
      response.setHeader('X-Request-Id', requestId);
      sendError(response, error, {
        path: '/oauth2/introspect',
        requestId,
        headers: request.headers,
      });
    }
  };

  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const url = request.url ?? '';
    const forward = isAtOrBelow(forwardPaths, url);
    if (!forward && !isAtOrBelow(verifyPaths, url)) {
      if (!isIntrospection(request, url)) return false;
      void introspection(request, response);
      return true;
    }
    // Whatever body a gateway forwards is none of our business: it is discarded with the answer.
    try {
      const credentials = gatewayCredentials(request);
      const demands = forward ? forwardDemands(credentials) : queryDemands(url, credentials);
      const token = credentials.token ?? bearerToken(request);
      const headers = identityHeaders(verifyDemands(memory, token, demands));
      verifications.accepted = (verifications.accepted ?? 0) + 1;
      if (bodyIsOnItsWay(request)) response.shouldKeepAlive = false;
      if (demands.status === undefined) response.writeHead(204, headers);
      else response.writeHead(200, [...headers, 'Content-Length', '0']);
      endAnswer(response);
    } catch (thrown) {
      const error = toLatchkeyError(thrown);
      const requestId = newId();
      refused(error, requestId, request);
      response.setHeader('X-Request-Id', requestId);
      sendError(response, error, { path: '/auth/verify', requestId, headers: request.headers });
    }
    return true;
  };
}

function isAtOrBelow(paths: readonly string[], url: string): boolean {
  for (const path of paths) {
    if (!url.startsWith(path)) continue;
    if (url.length === path.length) return true;
    const next = url[path.length];
    return next === '/' || next === '?';
  }
  return false;
}

/** A page's request takes the way through Express, which knows about origins. */
function isIntrospection(request: IncomingMessage, url: string): boolean {
  return (
    request.method === 'POST' && request.headers.origin === undefined && introspectPath.test(url)
  );
}

function requiredToken({ token }: Readonly<Record<string, string>>): string {
  if (token !== undefined) return token;
  throw new LatchkeyError('invalid_request', {
    errors: [{ path: 'token', message: 'is required' }],
  });
}

/** What a gateway sends in headers, as nearly every request has it. */
interface GatewayCredentials {
  /** null leaves the rest to `bearerToken`. */
  token: string | null;
  demand: string | null;
}

const scheme = 'Bearer ';

/**
 * One pass over the headers for both; they have names of one length. The characters of a token are
 * not looked at: the verifier accepts a token in its one spelling only.
 */
function gatewayCredentials({ rawHeaders }: IncomingMessage): GatewayCredentials {
  let token: string | null = null;
  let demand: string | null = null;
  let plain = true;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = rawHeaders[at]!;
    if (written.length !== 13) continue;
    const name = written.toLowerCase();
    const value = rawHeaders[at + 1]!;
    if (name === 'authorization') {
      plain &&= token === null && value.startsWith(scheme) && value[scheme.length] !== ' ';
      token = value.slice(scheme.length);
    } else if (name === 'x-auth-demand') {
      if (demand !== null) throw refusedDemand('X-Auth-Demand', 'given more than once');
      demand = value;
    }
  }
  return { token: plain ? token : null, demand };
}

function forwardDemands({ demand }: GatewayCredentials): Demands {
  return demand === null ? noDemands : demandsOfHeader(demand);
}

/** A gateway that sends its demands to the wrong address must not find its doors open. */
function queryDemands(url: string, { demand }: GatewayCredentials): Demands {
  if (demand !== null) throw refusedDemand('X-Auth-Demand', 'is read at /auth/forward only');
  const mark = url.indexOf('?');
  return mark === -1 ? noDemands : demandsOfQuery(url.slice(mark + 1));
}

function verifyDemands(
  memory: Pick<NodeMemory, 'verify' | 'lacksNewRoles'>,
  token: string | null,
  { role, scope, aud }: Demands,
) {
  if (token === null) throw new LatchkeyError('invalid_token', { detail: 'no bearer token' });
  const claims = acceptedClaims(memory.verify(token, aud));
  if (role !== undefined && !(claims.roles ?? []).includes(role)) {
    throw missingRight('role', { lacksNewRoles: memory.lacksNewRoles(claims) });
  }
  if (scope !== undefined && !includesScopes(claims.scope ?? '', scope)) {
    throw missingRight('scope', { lacksNewRoles: memory.lacksNewRoles(claims) });
  }
  return claims;
}

function includesScopes(granted: string, wanted: string): boolean {
  const has = new Set(granted.split(' '));
  return wanted.split(' ').every((scope) => has.has(scope));
}
