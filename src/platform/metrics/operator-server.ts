import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { isLoopback } from '../address.ts';
import { type AddressVariables, listen } from '../listen.ts';
import { metricsTokenCheck } from './metrics-token.ts';

/** What is failing, by name; nothing while the process is ready. */
export interface Readiness {
  readonly ready: boolean;
  readonly failing: readonly string[];
  /** What the process works without. */
  readonly degraded?: readonly string[];
}

export interface OperatorServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Named when the address cannot be had. */
  readonly variables: AddressVariables;
  readonly registry: Registry;
  /** Beyond loopback, `/metrics` is served to the bearer of this token only; without one, not at all. */
  readonly token?: string;
  /** With it the server also answers `/healthz` and `/readyz`. */
  readonly readiness?: () => Promise<Readiness>;
}

export interface OperatorServer {
  readonly host: string;
  readonly port: number;
  /** Closes every connection. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body?: string;
}

type Page = (request: IncomingMessage) => Promise<Answer>;

/** Serves what operators and their tools ask of a process, on an address of its own. */
export async function startOperatorServer(options: OperatorServerOptions): Promise<OperatorServer> {
  const { host, port, variables } = options;
  const pages = pagesOf(options);
  const server = createServer((request, response) => {
    void answer(pages, request).then((answered) => send(response, answered));
  });
  const boundPort = await listen(server, { host, port }, variables);
  return { host, port: boundPort, close: () => close(server) };
}

function pagesOf({ host, registry, token, readiness }: OperatorServerOptions): Map<string, Page> {
  const pages = new Map<string, Page>();
  const metrics = async () => ({
    status: 200,
    type: registry.contentType,
    body: await registry.metrics(),
  });
  if (isLoopback(host)) pages.set('/metrics', metrics);
  else if (token !== undefined) pages.set('/metrics', bearerOnly(token, metrics));
  if (readiness !== undefined) {
    pages.set('/healthz', async () => json(200, { status: 'ok' }));
    pages.set('/readyz', async () => {
      const { ready, failing, degraded = [] } = await readiness();
      const without = degraded.length === 0 ? {} : { degraded };
      return ready
        ? json(200, { status: 'ready', ...without })
        : json(503, { status: 'not_ready', failing, ...without });
    });
  }
  return pages;
}

function bearerOnly(token: string, page: () => Promise<Answer>): Page {
  const isMetricsToken = metricsTokenCheck(token);
  return async ({ headers: { authorization = '' } }) => {
    const [, given = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    return isMetricsToken(given) ? page() : { status: 401 };
  };
}

async function answer(pages: Map<string, Page>, request: IncomingMessage): Promise<Answer> {
  const page = pages.get((request.url ?? '').split('?')[0]!);
  if (page === undefined) return { status: 404 };
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405 };
  return page(request).catch(() => ({ status: 500 }));
}

/** Node leaves the body out where the request was HEAD. */
function send(response: ServerResponse, { status, type, body = '' }: Answer): void {
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  if (status === 405) response.setHeader('allow', 'GET, HEAD');
  if (status === 503) response.setHeader('retry-after', '1');
  if (type !== undefined) response.setHeader('content-type', type);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.writeHead(status).end(body);
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(body) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
