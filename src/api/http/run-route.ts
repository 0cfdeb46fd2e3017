import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { z } from 'zod';
import {
  type AuthenticationDemand,
  requireAuthentication,
} from '../../domain/kernel/authentication-demand.ts';
import type { Budget, Payers } from '../../domain/kernel/budgets.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { networkOf } from '../../platform/client-address.ts';
import type { BearerAuth, BearerUse } from './auth.ts';
import { type ClientCredentials, clientCredentials } from './client-credentials.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { listFieldsOf } from './list-fields.ts';
import { withFloor } from './login-floor.ts';
import { missingRight } from './missing-right.ts';
import { opaqueFieldsOf } from './opaque-texts.ts';
import {
  optionalPresentedToken,
  type PresentedAccessToken,
  type ProofOfRequest,
  presentedToken,
  proofOfRequest,
} from './presented-token.ts';
import type { Reply } from './reply.ts';
import {
  check,
  type FormParameters,
  parseParameters,
  readFormParameters,
  readJson,
} from './request-body.ts';
import type { Caller, ClientCaller, RequestContext } from './request-context.ts';
import type { Route } from './route.ts';

/** How credentials become somebody. Each raises a LatchkeyError for those it refuses. */
export interface Authenticators {
  /** `nextNonce`: for the client's next DPoP proof. */
  bearer(
    token: PresentedAccessToken,
    use: BearerUse,
    request: ProofOfRequest,
  ): Promise<Caller & { readonly nextNonce?: string | undefined }>;
  client(credentials: ClientCredentials): ClientCaller;
  /** What a use of the token demands of the user's authentication, as it is configured. */
  demandOf(auth: Pick<BearerAuth, 'use' | 'recent'>): AuthenticationDemand;
}

/** What every route runs with. */
export interface Runtime {
  readonly authenticators: Authenticators;
  /** Counts one attempt, or raises `rate_limited`. */
  readonly rateLimits: { take(budget: Budget, payers: Payers): unknown };
  readonly floor: {
    readonly ms: number;
    readonly onOverrun: () => void;
    /**
     * Keeps back a refusal for a spent budget, for at most `ms`; resolves with false when it has no
     * place for one of this network.
     */
    readonly hold: (
      ms: number,
      client: { connection: Socket; network: string },
    ) => Promise<boolean>;
  };
}

/**
 * Authenticates, parses and runs one request of `route`. A bearer is authenticated first and a client
 * before its body is checked, so that nobody else learns anything from errors of the body.
 */
export async function runRoute(
  route: Route,
  request: IncomingMessage,
  pathParameters: Readonly<Record<string, string>>,
  context: RequestContext,
  { authenticators, rateLimits, floor }: Runtime,
): Promise<Reply> {
  const caller = await authenticateBearer(route, request, context, authenticators);
  const params = fitting(route.params, pathParameters);
  const form = await formOf(route, request);
  const client = authenticateClient(route, request, form.texts, context, authenticators);
  const body = await bodyOf(route, request, form);
  const query = route.query === undefined ? undefined : check(route.query, queryOf(request));
  context.arrivedAt = performance.now();
  const input = {
    body,
    query,
    params,
    headers: request.headers,
    accessToken: route.auth.kind === 'optional' ? optionalPresentedToken(request) : null,
    idempotencyKey: route.idempotent ? idempotencyKey(request.headers) : undefined,
    caller,
    client,
    context,
    raw: request,
  } as unknown as Parameters<Route['handler']>[0];
  route.guard?.(input);
  const answer = async () => {
    if (route.limit !== undefined) {
      await rateLimits.take(route.limit.budget, route.limit.by(input));
    }
    return route.handler(input);
  };
  if (route.floor === undefined || route.floor === false) return answer();
  const { ms: floorMs, onOverrun } = floor;
  const { arrivedAt } = context;
  if (route.floor === 'always') {
    return withFloor({ floorMs, arrivedAt, onOverrun, keepsSuccess: true }, answer);
  }
  const hold = async (ms: number) => {
    const client = { connection: request.socket, network: networkOf(context.address) };
    if (!(await floor.hold(ms, client))) context.closesConnection = true;
  };
  return withFloor({ floorMs, arrivedAt, onOverrun, hold }, answer);
}

async function authenticateBearer(
  { auth }: Route,
  request: IncomingMessage,
  context: RequestContext,
  authenticators: Authenticators,
): Promise<Caller | null> {
  if (auth.kind !== 'bearer') return null;
  const token = presentedToken(request);
  if (token === null) throw new LatchkeyError('invalid_token', { detail: 'no access token' });
  const proof = proofOfRequest(request);
  const { nextNonce, ...caller } = await authenticators.bearer(token, auth.use, proof);
  context.dpopNonce = nextNonce;
  const { role, scope, use } = auth;
  context.actor = { type: use === 'administration' ? 'admin' : 'user', id: caller.userId };
  if (role !== null && !caller.roles.includes(role)) throw missingRight('role', caller);
  if (scope !== null && !caller.scopes.includes(scope)) throw missingRight('scope', caller);
  requireAuthentication(caller.authentication, authenticators.demandOf(auth), Date.now());
  return caller;
}

function authenticateClient(
  { auth }: Route,
  request: IncomingMessage,
  form: Readonly<Record<string, string>>,
  context: RequestContext,
  authenticators: Authenticators,
): ClientCaller | null {
  if (auth.kind !== 'client') return null;
  const client = authenticators.client(clientCredentials(request, form));
  context.actor = { type: 'client', id: client.clientId };
  return client;
}

/** A path with a part that does not fit names nothing. */
function fitting(params: z.ZodType | undefined, given: Readonly<Record<string, string>>): unknown {
  if (params === undefined) return undefined;
  const result = params.safeParse(given);
  if (!result.success) throw new LatchkeyError('not_found');
  return result.data;
}

async function formOf({ accepts, body }: Route, request: IncomingMessage): Promise<FormParameters> {
  if (accepts !== 'form') return { texts: {}, lists: {} };
  const fields = body && { opaque: opaqueFieldsOf(body), lists: listFieldsOf(body) };
  return readFormParameters(request, fields);
}

async function bodyOf(
  { accepts, body, bodyOptional }: Route,
  request: IncomingMessage,
  { texts, lists }: FormParameters,
): Promise<unknown> {
  if (body === undefined || accepts === 'nothing') return undefined;
  if (accepts === 'form') return check(body, { ...texts, ...lists });
  return readJson(request, body, { optional: bodyOptional });
}

function queryOf(request: IncomingMessage): Readonly<Record<string, string>> {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark === -1 ? {} : parseParameters(url.slice(mark + 1));
}
