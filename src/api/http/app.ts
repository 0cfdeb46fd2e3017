import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { AddressRange } from '../../platform/client-address.ts';
import { LogSampler } from '../../platform/logging/log-sampler.ts';
import { corsHeaders, isPreflight } from './cors.ts';
import type { InFlight } from './in-flight.ts';
import type { HttpMetrics } from './metrics.ts';
import { type FailureStyle, published, toLatchkeyError } from './problem.ts';
import { sendError, sendReply } from './reply.ts';
import { createRequestContext, type RequestContext } from './request-context.ts';
import { mountedPaths, type Route } from './route.ts';
import { type Runtime, runRoute } from './run-route.ts';
import { createForwardingWatch } from './untrusted-forwarding.ts';

export interface AppOptions extends Runtime {
  readonly routes: readonly Route[];
  readonly allowedOrigins: readonly string[];
  readonly trustedProxies: readonly AddressRange[];
  readonly log: Logger;
  readonly metrics: HttpMetrics;
  readonly inFlight: InFlight;
  /** Told of each refusal of a route that strangers may call. */
  readonly onRefused?: (address: string) => void;
}

/** What a guess is answered with: of a credential, an account, or too many of them. */
const guesses = new Set([401, 403, 409, 429]);

/** Nobody met this status: the client left before there was an answer. */
const clientGone = 499;

interface Exchange {
  readonly context: RequestContext;
  readonly startedAt: number;
  /** The declared path, for metrics and logs: never the real one, which can hold ids. */
  template: string;
  /** null while no declared route is found. */
  failsAs: FailureStyle | null;
  /** Anybody may call its route. */
  isPublic: boolean;
  error: LatchkeyError | null;
}

/**
 * The Express application that answers exactly `routes`: 405 beside them, 404 elsewhere, never a
 * stack trace.
 */
export function createApp(options: AppOptions): Express {
  const refusals = new LogSampler();
  const exchanges = new WeakMap<IncomingMessage, Exchange>();
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing');
  const watchForwarding = createForwardingWatch(options.trustedProxies, options.log);
  app.use((request, response, next) => {
    watchForwarding(request);
    const exchange = begin(request, options);
    exchanges.set(request, exchange);
    response.setHeader('x-request-id', exchange.context.requestId);
    options.inFlight.add(response);
    response.once('close', () => finish(request, response, exchange, { ...options, refusals }));
    refuseMalformed(request);
    next();
  });
  app.use(securityHeaders());
  mount(app, options, (request) => exchanges.get(request)!);
  app.use(() => {
    throw new LatchkeyError('not_found');
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const exchange = exchanges.get(request)!;
    exchange.error = toLatchkeyError(error);
    const failsAs = exchange.failsAs ?? unmatchedFailsAs(request.path);
    const { requestId, closesConnection } = exchange.context;
    if (closesConnection === true) response.shouldKeepAlive = false;
    sendError(response, exchange.error, { failsAs, requestId, headers: request.headers });
  });
  return app;
}

function mount(
  app: Express,
  options: AppOptions,
  exchangeOf: (request: Request) => Exchange,
): void {
  for (const [path, routes] of byPath(options.routes)) {
    const allowed = routes.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : method));
    const allow = [...new Set([...allowed, 'OPTIONS'])].join(', ').toUpperCase();
    const paths = mountedPaths(path).map(expressPath);
    app.all(paths, (request, response, next) => {
      const { failsAs, cors = 'listed' } = routes[0]!;
      Object.assign(exchangeOf(request), { template: path, failsAs });
      const preflight = isPreflight(request.method, request.headers);
      const headers = corsHeaders(cors, request.headers, options.allowedOrigins, preflight);
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      if (preflight) sendReply(response, { status: 204 });
      else next();
    });
    for (const route of routes) {
      app[route.method](paths, async (request: Request, response: Response) => {
        const exchange = exchangeOf(request);
        exchange.failsAs = route.failsAs;
        exchange.isPublic = route.auth.kind !== 'bearer';
        const params = request.params as Record<string, string>;
        const answer = await runRoute(route, request, params, exchange.context, options);
        const { dpopNonce } = exchange.context;
        if (dpopNonce !== undefined) response.setHeader('dpop-nonce', dpopNonce);
        sendReply(response, answer);
      });
    }
    app.all(paths, (request, response) => {
      response.setHeader('allow', allow);
      if (request.method !== 'OPTIONS') throw new LatchkeyError('method_not_allowed');
      sendReply(response, { status: 204 });
    });
  }
}

function begin(request: IncomingMessage, options: AppOptions): Exchange {
  return {
    context: createRequestContext(request, options),
    startedAt: performance.now(),
    template: 'unmatched',
    failsAs: null,
    isPublic: false,
    error: null,
  };
}

/** An OAuth client understands no other answer, also where we have nothing. */
function unmatchedFailsAs(path: string): FailureStyle {
  return path.startsWith('/oauth2/') ? 'oauth' : 'problem';
}

function finish(
  request: Request,
  response: ServerResponse,
  { context, startedAt, template, isPublic, error }: Exchange,
  { metrics, inFlight, refusals, onRefused }: AppOptions & { readonly refusals: LogSampler },
): void {
  inFlight.delete(response);
  const seconds = (performance.now() - startedAt) / 1000;
  const status = response.headersSent ? response.statusCode : clientGone;
  metrics.observeRequest(template, request.method, status, seconds);
  const facts = { method: request.method, route: template, status, duration_seconds: seconds };
  if (error === null) {
    context.log.debug(facts, 'answered');
    return;
  }
  const { code, detail, cause } = error;
  metrics.refusals.inc({ code: published(code).code });
  if (isPublic && guesses.has(status)) onRefused?.(context.address);
  const sampled = refusals.admit(code);
  if (sampled === null) return;
  const refusal = { ...facts, code, detail, ...sampled };
  if (status >= 500) context.log.error({ ...refusal, err: cause }, 'failed');
  else context.log.info(refusal, 'refused');
}

/** What Node's parser lets pass: a target whose percent-encoding hides NUL or no UTF-8. */
function refuseMalformed(request: IncomingMessage): void {
  if (decodeURIComponent(request.url ?? '').includes('\0')) {
    throw new LatchkeyError('invalid_request', { detail: 'malformed request line' });
  }
}

function securityHeaders() {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  });
}

function byPath(routes: readonly Route[]): Map<string, Route[]> {
  return Map.groupBy(routes, ({ path }) => path);
}

/** `/a/{id}` and `/a/{rest*}` as Express 5 writes them. */
function expressPath(path: string): string {
  return path.replace(/\{(\w+)\*\}/g, '*$1').replace(/\{(\w+)\}/g, ':$1');
}
