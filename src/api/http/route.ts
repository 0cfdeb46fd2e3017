import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ErrorCode } from '@latchkey/contract/error-code';
import type { z } from 'zod';
import type { Budget, Payers } from '../../domain/kernel/budgets.ts';
import type { BearerAuth, ClientAuth, RouteAuth } from './auth.ts';
import type { CorsMode } from './cors.ts';
import type { FastAnswerFactory } from './fast-answer.ts';
import type { PresentedAccessToken } from './presented-token.ts';
import type { FailureStyle } from './problem.ts';
import type { Reply } from './reply.ts';
import type { Caller, ClientCaller, RequestContext } from './request-context.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

export interface RouteResponse {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** What the headers of this answer say, beside those of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler is given: parsed and checked, never raw. */
export interface RouteRequest<B, Q, P, A extends RouteAuth, I extends boolean> {
  readonly body: B;
  readonly query: Q;
  readonly params: P;
  readonly headers: IncomingHttpHeaders;
  /** The token of `Authorization`, unverified, where `auth` is `optional`; else null. */
  readonly accessToken: PresentedAccessToken | null;
  /** The Idempotency-Key header, or null; only of a route that is `idempotent`. */
  readonly idempotencyKey: I extends true ? string | null : undefined;
  readonly caller: A extends BearerAuth ? Caller : null;
  readonly client: A extends ClientAuth ? ClientCaller : null;
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
  /** The credential in words, where `auth` does not say all of it. */
  readonly credential?: string;
  readonly responses: Readonly<Record<number, RouteResponse>>;
  /** Codes beyond those that follow from the rest of the declaration. */
  readonly errors?: readonly ErrorCode[];
  readonly cors?: CorsMode;
  /** The refresh cookie is a credential here. */
  readonly refreshCookie?: boolean;
  /**
   * Every route that appends to the log names the budgets it takes from: here those that the work
   * itself pays.
   */
  readonly spends?: readonly Budget[];
  /**
   * Each refusal leaves at a multiple of the login floor (`login-floor.ts`); with `always` each
   * answer does, and none is held.
   */
  readonly floor?: boolean | 'always';
  /**
   * Answers from memory before Express sees the request, and authenticates by itself. Requests that
   * it declines, and targets in absolute form, reach `handler`, which must refuse what this would.
   */
  readonly fast?: FastAnswerFactory;
}

export interface RouteDefinition<
  B extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  P extends z.ZodType | undefined,
  A extends RouteAuth,
  I extends boolean,
> extends RouteFacts {
  readonly auth: A;
  /** What stands in the braces of `path`; what does not fit is `not_found`, before any database. */
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly bodyOptional?: boolean;
  /** How a body comes. Default: `json` with a `body`, else `nothing`, and none is read. */
  readonly accepts?: Accepts;
  /** How a refusal is written. Default: `problem`. */
  readonly failsAs?: FailureStyle;
  /** A repeat under the same Idempotency-Key answers the same; the handler is given the key. */
  readonly idempotent?: I;
  /** Raises for what may not come here at all: nothing is counted, nobody waits for the floor. */
  readonly guard?: (request: RequestOf<B, Q, P, A, I>) => void;
  /** One attempt is taken from `budget` before the handler begins, or `rate_limited` raised. */
  readonly limit?: Limit<RequestOf<B, Q, P, A, I>>;
  readonly handler: (request: RequestOf<B, Q, P, A, I>) => Reply | Promise<Reply>;
}

export type Accepts = 'json' | 'form' | 'nothing';

export interface Limit<R> {
  readonly budget: Budget;
  readonly by: (request: R) => Payers;
}

/** A limit that the bearer's user pays. */
export function perUser(budget: Budget): Limit<{ readonly caller: Caller }> {
  return { budget, by: ({ caller }) => ({ userId: caller.userId }) };
}

type Output<S> = S extends z.ZodType ? z.output<S> : undefined;
type RequestOf<B, Q, P, A extends RouteAuth, I extends boolean> = RouteRequest<
  Output<B>,
  Output<Q>,
  Output<P>,
  A,
  I
>;
type AnyRequest = RouteRequest<never, never, never, never, never>;

/** A declared route: what mounts it, documents it and checks its answers in tests. */
export interface Route extends RouteFacts {
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  readonly bodyOptional: boolean;
  readonly accepts: Accepts;
  readonly failsAs: FailureStyle;
  readonly idempotent: boolean;
  readonly guard?: (request: AnyRequest) => void;
  readonly limit?: Limit<AnyRequest>;
  readonly handler: (request: AnyRequest) => Reply | Promise<Reply>;
}

/** Declares a route; the handler's types follow from the schemas, `auth` and `idempotent`. */
export function route<
  A extends RouteAuth,
  B extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  P extends z.ZodType | undefined = undefined,
  const I extends boolean = false,
>(definition: RouteDefinition<B, Q, P, A, I>): Route {
  const { body, params, query, fast, guard, limit, floor } = definition;
  if (fast !== undefined && (guard ?? limit ?? floor) !== undefined) {
    throw new Error(`${definition.path}: a fast answer passes by guard, limit and floor`);
  }
  return {
    bodyOptional: false,
    accepts: body === undefined ? 'nothing' : 'json',
    failsAs: 'problem',
    idempotent: false,
    ...(definition as unknown as Partial<Route> & RouteFacts & Pick<Route, 'handler'>),
    body,
    params,
    query,
  };
}

/** Where a route answers: everything under `/auth` also does under `/api/auth`. */
export function mountedPaths(path: string): string[] {
  return path.startsWith('/auth/') ? [path, `/api${path}`] : [path];
}

/** What a request of `route` may take from: its limit, and the budgets of the work itself. */
export function budgetsOf({ limit, spends = [] }: Route): Budget[] {
  return [...(limit === undefined ? [] : [limit.budget]), ...spends];
}
