import type { IncomingMessage } from 'node:http';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { isId } from '../../domain/kernel/ids.ts';
import { bearerToken, optionalBearerToken } from './bearer.ts';
import { type ClientCredentials, clientCredentials } from './client-credentials.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { missingRight } from './missing-right.ts';
import type { Reply } from './reply.ts';
import { check, parseParameters, readFormParameters, readJson } from './request-body.ts';
import type { Caller, ClientCaller, RequestContext } from './request-context.ts';
import { type BearerUse, isOAuthPath, type Route, type RouteRequest } from './route.ts';

export const adminRole = 'latchkey:admin';

/** How credentials become somebody. Each raises a LatchkeyError for those it refuses. */
export interface Authenticators {
  bearer(token: string, use: BearerUse, context: RequestContext): Caller | Promise<Caller>;
  client(
    credentials: ClientCredentials,
    context: RequestContext,
  ): ClientCaller | Promise<ClientCaller>;
}

/**
 * Authenticates, parses and runs one request of `route`. Whoever may not call learns nothing about
 * the body. An `{id}` in the path that we cannot have given out is `not_found` here, before a
 * database would have to read it.
 */
export async function runRoute(
  route: Route,
  request: IncomingMessage,
  params: Readonly<Record<string, string>>,
  context: RequestContext,
  { authenticators }: { readonly authenticators: Authenticators },
): Promise<Reply> {
  const caller = await authenticateCaller(route, request, context, authenticators);
  if (params.id !== undefined && !isId(params.id)) throw new LatchkeyError('not_found');
  const { body, client } = isOAuthPath(route.path)
    ? await readOAuthBody(route, request, context, authenticators)
    : { body: await readBodyOf(route, request), client: null };
  const query = route.query === undefined ? undefined : check(route.query, queryOf(request));
  context.arrivedAt = performance.now();
  const input = {
    body,
    query,
    params,
    headers: headersFor(route, request),
    method: request.method ?? 'GET',
    bearerToken: route.auth === 'optional' ? optionalBearerToken(request) : null,
    caller,
    client,
    context,
    raw: request,
  };
  return route.handler(input as unknown as RouteRequest<never, never, never>);
}

/** A handler sees an Idempotency-Key only if its route declares it: the documentation is true. */
function headersFor({ idempotent = false }: Route, { headers }: IncomingMessage) {
  if (headers['idempotency-key'] === undefined) return headers;
  if (!idempotent) return { ...headers, 'idempotency-key': undefined };
  // Raises for a malformed one, whatever the handler does first.
  idempotencyKey(headers);
  return headers;
}

async function authenticateCaller(
  route: Route,
  request: IncomingMessage,
  context: RequestContext,
  authenticators: Authenticators,
): Promise<Caller | null> {
  if (route.auth !== 'bearer' && route.auth !== 'admin') return null;
  const token = bearerToken(request);
  if (token === null) throw new LatchkeyError('invalid_token', { detail: 'no bearer token' });
  const use = route.auth === 'admin' ? 'administration' : (route.tokenUse ?? 'account');
  const caller = await authenticators.bearer(token, use, context);
  context.actor = { type: route.auth === 'admin' ? 'admin' : 'user', id: caller.userId };
  if (route.auth === 'admin' && !caller.roles.includes(adminRole)) {
    throw missingRight('role', caller);
  }
  return caller;
}

async function readBodyOf(route: Route, request: IncomingMessage): Promise<unknown> {
  if (route.body === undefined) return undefined;
  return readJson(request, route.body, { optional: route.bodyOptional });
}

async function readOAuthBody(
  route: Route,
  request: IncomingMessage,
  context: RequestContext,
  authenticators: Authenticators,
): Promise<{ body: unknown; client: ClientCaller | null }> {
  const form = await readFormParameters(request);
  let client: ClientCaller | null = null;
  if (route.auth === 'client') {
    client = await authenticators.client(clientCredentials(request, form), context);
    context.actor = { type: 'client', id: client.clientId };
  }
  return { body: route.body === undefined ? undefined : check(route.body, form), client };
}

function queryOf(request: IncomingMessage): Record<string, string> {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark === -1 ? {} : parseParameters(url.slice(mark + 1));
}
