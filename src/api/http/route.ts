import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ErrorCode } from '@latchkey/contract/error-code';
import type { z } from 'zod';
import type { Budget } from '../../domain/kernel/budgets.ts';
import type { CorsMode } from './cors.ts';
import type { Reply } from './reply.ts';
import type { Caller, ClientCaller, RequestContext } from './request-context.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/**
 * Who may call. `bearer`: a good access token; `admin`: one with the role `latchkey:admin`;
 * `client`: client authentication by Basic or form (RFC 6749 section 2.3.1); `optional`: the handler
 * decides, with `bearerToken` at hand; `none`: anybody, and the Authorization header is not read.
 */
export type RouteAuth = 'none' | 'optional' | 'bearer' | 'admin' | 'client';

/**
 * What a bearer does with its token. `account`: act for its user. `profile`: read the user.
 * `administration`: act below `/admin`. `service`: use something that the issuer protects.
 */
export type BearerUse = 'account' | 'profile' | 'administration' | 'service';

export interface RouteResponse {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** What the headers of this answer say, beside those of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler is given: parsed and checked, never raw. */
export interface RouteRequest<B, Q, A extends RouteAuth> {
  readonly body: B;
  readonly query: Q;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  /** The token of `Authorization: Bearer`, unverified, where `auth` is `optional`; else null. */
  readonly bearerToken: string | null;
  readonly caller: A extends 'bearer' | 'admin' ? Caller : null;
  readonly client: A extends 'client' ? ClientCaller : null;
  readonly context: RequestContext;
  readonly raw: IncomingMessage;
}

interface RouteFacts {
  /** `all`: any method, documented as GET. */
  readonly method: Method | 'all';
  /**
   * As OpenAPI writes it: `/auth/sessions/{id}`; a last segment `{rest*}` takes all that follows.
   */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly auth: RouteAuth;
  /** Default `account`. */
  readonly tokenUse?: Exclude<BearerUse, 'administration'>;
  readonly responses: Readonly<Record<number, RouteResponse>>;
  /** Codes beyond those that follow from `auth` and the schemas. */
  readonly errors?: readonly ErrorCode[];
  readonly cors?: CorsMode;
  /** The handler reads `Idempotency-Key`: a repeat under the same key answers the same. */
  readonly idempotent?: boolean;
  /** The refresh cookie is a credential here. */
  readonly refreshCookie?: boolean;
  /** Every route that appends to the log names the budgets it takes from. */
  readonly spends?: readonly Budget[];
}

export interface RouteDefinition<
  B extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  A extends RouteAuth,
> extends RouteFacts {
  readonly auth: A;
  /** A JSON body; below `/oauth2/` a form. */
  readonly body?: B;
  readonly bodyOptional?: boolean;
  readonly query?: Q;
  readonly handler: (request: RouteRequest<Output<B>, Output<Q>, A>) => Reply | Promise<Reply>;
}

type Output<S> = S extends z.ZodType ? z.output<S> : undefined;

/** A declared route: what mounts it, documents it and checks its answers in tests. */
export interface Route extends RouteFacts {
  readonly body: z.ZodType | undefined;
  readonly bodyOptional: boolean;
  readonly query: z.ZodType | undefined;
  readonly handler: (request: RouteRequest<never, never, never>) => Reply | Promise<Reply>;
}

/** Declares a route; the handler's types follow from `body`, `query` and `auth`. */
export function route<
  const A extends RouteAuth,
  B extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
>(definition: RouteDefinition<B, Q, A>): Route {
  const handler = definition.handler as unknown as Route['handler'];
  return {
    ...definition,
    body: definition.body,
    bodyOptional: definition.bodyOptional ?? false,
    query: definition.query,
    handler,
  };
}

/** Where a route answers: everything under `/auth` also does under `/api/auth`. */
export function mountedPaths(path: string): string[] {
  return path.startsWith('/auth/') ? [path, `/api${path}`] : [path];
}

/** Whether errors and bodies of this path follow RFC 6749 instead of problem documents and JSON. */
export function isOAuthPath(path: string): boolean {
  return path.startsWith('/oauth2/');
}
