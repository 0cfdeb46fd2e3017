import type { IncomingMessage, ServerResponse } from 'node:http';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { AccessTokenClaims } from '../verifier/access-token-claims.ts';
import type { Verification } from '../verifier/verify.ts';
import { bearerToken } from './bearer.ts';
import { clientCredentials } from './client-credentials.ts';
import { authenticateClient } from './commands/authenticate-client.ts';
import type { NodeMemory } from './node-memory.ts';
import { toLatchkeyError } from './problem.ts';
import { introspect } from './queries/introspection.ts';
import { sendError, sendReply } from './reply.ts';
import { discardBody, parseParameters, readFormParameters } from './request-body.ts';
import { requestIdOf } from './request-context.ts';

export interface FastLaneOptions {
  readonly memory: Pick<NodeMemory, 'verify' | 'client'>;
  /** Counts by result; read when somebody scrapes. */
  readonly verifications: Record<string, number>;
  readonly log: Pick<Logger, 'info' | 'debug'>;
}

const verifyPaths = ['/auth/verify', '/api/auth/verify'] as const;
const introspectPath = /^\/oauth2\/introspect(?:\?|$)/;
const refusalsLoggedPerSecondMax = 10;

/**
 * Answers forward-auth (`/auth/verify`, any method) and introspection before Express sees the
 * request: from memory, without a statement and without a log line when the token is good. Returns
 * false when the request is for somebody else.
 */
export function createFastLane(options: FastLaneOptions) {
  const { memory, verifications, log } = options;
  let loggedInSecond = 0;
  let second = 0;

  const refused = (error: LatchkeyError, requestId: string) => {
    verifications[error.code] = (verifications[error.code] ?? 0) + 1;
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) [second, loggedInSecond] = [now, 0];
    loggedInSecond += 1;
    if (loggedInSecond > refusalsLoggedPerSecondMax) return;
    log.info({ request_id: requestId, code: error.code, detail: error.detail }, 'verify refused');
  };

  const introspection = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      const form = await readFormParameters(request);
      const client = authenticateClient(memory, clientCredentials(request, form));
      const answer = introspect(memory, client, requiredToken(form));
      const result = answer.active ? 'accepted' : 'inactive';
      verifications[result] = (verifications[result] ?? 0) + 1;
      sendReply(response, { status: 200, body: answer });
    } catch (thrown) {
      const error = toLatchkeyError(thrown);
      const requestId = requestIdOf(request);
      refused(error, requestId);
      response.setHeader('X-Request-Id', requestId);
      await discardBody(request);
      if (!request.complete) response.setHeader('Connection', 'close');
      sendError(response, error, {
        path: '/oauth2/introspect',
        requestId,
        headers: request.headers,
      });
    }
  };

  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const url = request.url ?? '';
    if (!isVerify(url)) {
      if (!isIntrospection(request, url)) return false;
      void introspection(request, response);
      return true;
    }
    // Whatever body a gateway forwards is none of our business: Node discards it with the answer.
    try {
      const mark = url.indexOf('?');
      const demands = mark === -1 ? noDemands : demandsOf(url.slice(mark + 1));
      const claims = verifyDemands(memory, request, demands);
      verifications.accepted = (verifications.accepted ?? 0) + 1;
      response.writeHead(204, headersOf(claims));
      response.end();
    } catch (thrown) {
      const error = toLatchkeyError(thrown);
      const requestId = requestIdOf(request);
      refused(error, requestId);
      response.setHeader('X-Request-Id', requestId);
      sendError(response, error, { path: '/auth/verify', requestId, headers: request.headers });
    }
    return true;
  };
}

function isVerify(url: string): boolean {
  for (const path of verifyPaths) {
    if (!url.startsWith(path)) continue;
    if (url.length === path.length) return true;
    const next = url[path.length];
    return next === '/' || next === '?';
  }
  return false;
}

/** Name and value in turn: the form that `writeHead` passes on without copying. */
function headersOf({ sub, sid, roles, device_type }: AccessTokenClaims): string[] {
  return [
    'X-Auth-Subject',
    sub,
    'X-Auth-Session',
    sid,
    'X-Auth-Roles',
    roles.join(','),
    'X-Auth-Device-Type',
    device_type,
    'Cache-Control',
    'no-store',
  ];
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

const noDemands: Readonly<Record<string, string>> = {};
const emptyDemand = /(?:^|&)(?:role|scope|aud)=?(?:&|$)/;

/**
 * A gateway that demands an empty role has a mistake in its configuration: it must not find its
 * doors open.
 */
function demandsOf(query: string): Readonly<Record<string, string>> {
  if (emptyDemand.test(decodeURIComponent(query))) {
    throw new LatchkeyError('invalid_request', {
      errors: [{ path: 'query', message: 'role, scope and aud must not be empty' }],
    });
  }
  return parseParameters(query);
}

function verifyDemands(
  memory: Pick<NodeMemory, 'verify'>,
  request: IncomingMessage,
  demands: Readonly<Record<string, string>>,
) {
  const token = soleBearerToken(request) ?? bearerToken(request);
  if (token === null) throw new LatchkeyError('invalid_token', { detail: 'no bearer token' });
  const claims = acceptedClaims(memory.verify(token, demands.aud));
  const { role, scope } = demands;
  if (role !== undefined && !claims.roles.includes(role)) {
    throw new LatchkeyError('insufficient_scope', { detail: 'role missing' });
  }
  if (scope !== undefined && !includesScopes(claims.scope, scope)) {
    throw new LatchkeyError('insufficient_scope', { detail: 'scope missing' });
  }
  return claims;
}

const scheme = 'Bearer ';

/**
 * The token of the one Authorization header, as nearly every request has it; null leaves the rest
 * to `bearerToken`. The characters are not looked at: the verifier accepts a token in its one
 * spelling only.
 */
function soleBearerToken({ rawHeaders }: IncomingMessage): string | null {
  let token: string | null = null;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue;
    const value = rawHeaders[at + 1]!;
    if (token !== null || !value.startsWith(scheme) || value[scheme.length] === ' ') return null;
    token = value.slice(scheme.length);
  }
  return token;
}

/**
 * The claims of an accepted token; a refusal raises `invalid_token`, `token_stale` or
 * `unavailable`.
 */
export function acceptedClaims(verification: Verification) {
  if (verification.ok) return verification.claims;
  const { code, reason } = verification;
  // The poll brings new keys within its interval: a kid that is unknown now was never announced.
  throw new LatchkeyError(code === 'key_needed' ? 'invalid_token' : code, { detail: reason });
}

function includesScopes(granted: string, wanted: string): boolean {
  const has = new Set(granted.split(' '));
  return wanted.split(' ').every((scope) => has.has(scope));
}
