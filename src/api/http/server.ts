import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { limits } from '../../domain/kernel/limits.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { listen } from '../../platform/listen.ts';
import type { InFlight } from './in-flight.ts';
import { type ErrorAnswer, transportProblem } from './problem.ts';
import { hasLastAnswer, sendReply } from './reply.ts';
import { continueWhenRead, hasBody } from './request-body.ts';
import { Turns } from './turns.ts';

const serverLimits = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1_000,
  /** Under an open answer; longer than any answer of ours may be waited for. */
  silenceTimeout: 40_000,
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
  /** How long a drain waits for the next request of a connection, to tell its client to leave. */
  readonly idleGraceMs?: number | undefined;
}

const idleGraceMsDefault = 1_000;

export interface HttpServer {
  readonly server: Server;
  readonly host: string;
  readonly port: number;
  /**
   * Stops accepting, answers every connection's next request with `Connection: close`, lets
   * requests under way finish for at most `timeoutMs`, then cuts what is left.
   */
  drain(timeoutMs: number): Promise<void>;
}

/** Listens. Slow, oversized, ambiguous and malformed requests are answered as problem documents and closed. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { inFlight, host, port, reusePort = false, idleGraceMs = idleGraceMsDefault } = options;
  const turns = new Turns(inFlight);
  const listener = turns.inTurn(guarded(options));
  const server = createServer(
    {
      ...serverLimits,
      ...options.timeouts,
      maxHeaderSize: limits.headerBytesMax,
      // Node would answer a missing Host without a body, and takes the first of two.
      requireHostHeader: false,
      // Nothing of ours waits for the end of a body that a request does not announce.
      optimizeEmptyRequests: true,
    },
    listener,
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
    refuseOnSocket(error, socket, turns),
  );
  server.on('checkContinue', (request: IncomingMessage, response) => {
    continueWhenRead(request, response);
    listener(request, response);
  });
  server.on(
    'checkExpectation',
    turns.inTurn((_, response) => sendReply(response, transportProblem(417, newId()))),
  );
  server.setTimeout(options.timeouts?.silenceTimeout ?? serverLimits.silenceTimeout);
  const address = { host, port, reusePort };
  const boundPort = await listen(server, address, { host: 'HOST', port: 'PORT' });
  return {
    server,
    host,
    port: boundPort,
    drain: (timeoutMs) => drain(server, inFlight, { timeoutMs, idleGraceMs }),
  };
}

/** What holds for every request, whichever lane answers it. */
function guarded({ listener, inFlight }: HttpServerOptions): RequestListener {
  return (request, response) => {
    if (inFlight.draining) response.shouldKeepAlive = false;
    if (!hasOneHost(request)) {
      sendReply(response, transportProblem(400, newId()));
    } else if (hasBody(request)) {
      // A body that came in one piece with its head is complete a turn later: then its connection
      // can be kept, whether the body is read or not.
      setImmediate(() => {
        if (request.socket.writable) listener(request, response);
      });
    } else {
      listener(request, response);
    }
  };
}

/** RFC 9112 section 3.2. Only HTTP/1.0 may leave Host out, and nothing may say it twice. */
function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0');
}

/**
 * A connection that is closed while its client writes the next request is reset. So each is left
 * open for a while: its next answer says that it closes, and only who asked nothing is cut.
 */
async function drain(
  server: Server,
  inFlight: InFlight,
  { timeoutMs, idleGraceMs }: { readonly timeoutMs: number; readonly idleGraceMs: number },
): Promise<void> {
  inFlight.drain();
  const closed = new Promise<void>((resolve) => {
    // `server.close` would also cut the idle connections now.
    NetServer.prototype.close.call(server, () => resolve());
  });
  let sweep: NodeJS.Timeout | undefined;
  const grace = setTimeout(() => {
    server.closeIdleConnections();
    sweep = setInterval(() => server.closeIdleConnections(), 50);
  }, idleGraceMs);
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearTimeout(grace);
  clearInterval(sweep);
  clearTimeout(cut);
  // Ends what watches over the times of requests.
  server.close();
}

function refuseOnSocket(error: NodeJS.ErrnoException, socket: Socket, turns: Turns): void {
  if (!socket.writable || error.code === 'ECONNRESET' || hasLastAnswer(socket)) socket.destroy();
  else turns.refuse(socket, onWire(transportProblem(statusOf(error.code), newId())));
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
