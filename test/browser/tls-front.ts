import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** What a browser sent, and what it was answered. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  status: number;
  body: string;
}

/** What becomes of the next answer to a path: it never arrives, or it is a 500 instead. */
type Fault = 'lost' | 'failed';

export interface TlsFront {
  readonly port: number;
  /** Base64 SHA-256 of the certificate's key: what a browser is told to trust. */
  readonly spkiHash: string;
  readonly exchanges: Exchange[];
  /** Where requests go from now on. */
  forwardTo(url: string): void;
  /** The next answer to a POST to this path. */
  breakNext(path: string, fault: Fault): void;
  /** The exchanges of this path since the last call. */
  taken(path: string): Exchange[];
  stop(): Promise<void>;
}

/**
 * Ends TLS with a certificate of its own, as a proxy in front of Latchkey does, and serves an empty
 * page at `/app`. Browsers bind sessions of secure origins only.
 */
export async function startTlsFront(): Promise<TlsFront> {
  const { key, cert } = selfSigned();
  const exchanges: Exchange[] = [];
  const faults = new Map<string, Fault>();
  let target = '';
  let seen = 0;
  const server = createServer({ key, cert }, (incoming, answer) => {
    if (incoming.url === '/app') return page(answer);
    const exchange = exchangeOf(incoming);
    exchanges.push(exchange);
    forward(incoming, answer, {
      url: target + exchange.path,
      onAnswer: (status, body) => {
        Object.assign(exchange, { status, body });
        const fault = incoming.method === 'POST' ? faults.get(exchange.path) : undefined;
        faults.delete(exchange.path);
        if (fault === 'lost') incoming.socket.destroy();
        return fault;
      },
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    spkiHash: spkiHash(cert),
    exchanges,
    forwardTo: (url) => {
      target = url;
    },
    breakNext: (to, fault) => void faults.set(to, fault),
    taken: (of) => {
      const fresh = exchanges.slice(seen);
      seen = exchanges.length;
      return fresh.filter((exchange) => exchange.path === of);
    },
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function page(answer: ServerResponse): void {
  answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>app</title>');
}

function exchangeOf({ method = '', url = '', headers }: IncomingMessage): Exchange {
  return { method, path: url, headers, status: 0, body: '' };
}

interface Forwarded {
  readonly url: string;
  readonly onAnswer: (status: number, body: string) => Fault | undefined;
}

function forward(incoming: IncomingMessage, answer: ServerResponse, to: Forwarded): void {
  const { method, headers } = incoming;
  const outgoing = request(to.url, { method, headers }, async (answered) => {
    const chunks: Buffer[] = [];
    for await (const chunk of answered) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const status = answered.statusCode ?? 0;
    const fault = to.onAnswer(status, body.toString());
    if (fault === 'failed') answer.writeHead(500).end();
    else if (fault === undefined) answer.writeHead(status, answered.headers).end(body);
  });
  outgoing.on('error', () => incoming.socket.destroy());
  incoming.pipe(outgoing);
}

function selfSigned(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-tls-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
  try {
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const files = ['-keyout', key!, '-out', cert!, '-subj', '/CN=localhost'];
    execFileSync('openssl', ['req', '-x509', ...made, ...files], { stdio: 'pipe' });
    return { key: readFileSync(key!), cert: readFileSync(cert!) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function spkiHash(cert: Buffer): string {
  const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}
