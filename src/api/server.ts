import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { limits } from '../domain/kernel/limits.ts';
import { newId } from '../platform/new-id.ts';
import type { InFlight } from './in-flight.ts';
import { type ErrorAnswer, transportProblem } from './problem.ts';
import { sendReply } from './reply.ts';
import { requestIdOf } from './request-context.ts';

const serverLimits = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1_000,
};

export interface HttpServerOptions {
  readonly listener: RequestListener;
  readonly inFlight: InFlight;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Several processes share the port (SO_REUSEPORT). */
  readonly reusePort?: boolean;
  readonly timeouts?: Partial<typeof serverLimits>;
}

export interface HttpServer {
  readonly server: Server;
  readonly host: string;
  readonly port: number;
  /**
   * Stops accepting, lets requests under way finish for at most `timeoutMs`, then cuts what is
   * left.
   */
  drain(timeoutMs: number): Promise<void>;
}

/** Listens. Slow, oversized and malformed requests are answered as problem documents and closed. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { inFlight, host, port, reusePort = false } = options;
  const server = createServer(
    {
      ...serverLimits,
      ...options.timeouts,
      maxHeaderSize: limits.headerBytesMax,
      // Node would answer a missing Host without a body; the application answers it as a problem.
      requireHostHeader: false,
      // Nothing of ours waits for the end of a body that a request does not announce.
      optimizeEmptyRequests: true,
    },
    options.listener,
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
    refuseOnSocket(error, socket, inFlight),
  );
  server.on('checkExpectation', (request: IncomingMessage, response) =>
    sendReply(response, transportProblem(417, requestIdOf(request))),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, reusePort }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port: boundPort } = server.address() as AddressInfo;
  return {
    server,
    host,
    port: boundPort,
    drain: (timeoutMs) => drain(server, inFlight, timeoutMs),
  };
}

async function drain(server: Server, inFlight: InFlight, timeoutMs: number): Promise<void> {
  inFlight.drain();
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}

function refuseOnSocket(error: NodeJS.ErrnoException, socket: Socket, inFlight: InFlight): void {
  if (!socket.writable || error.code === 'ECONNRESET' || inFlight.uses(socket)) {
    socket.destroy();
    return;
  }
  socket.end(onWire(transportProblem(statusOf(error.code), newId())));
}

function statusOf(code: string | undefined): 400 | 408 | 431 {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}

function onWire({ status, headers, body }: ErrorAnswer): string {
  const json = JSON.stringify(body);
  const all = { ...headers, 'content-length': String(Buffer.byteLength(json)) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} ${reasons[status]}\r\n${lines.join('\r\n')}\r\n\r\n${json}`;
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};
