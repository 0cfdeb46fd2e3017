import { connect } from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type AppOptions, createApp } from '../../../src/api/http/app.ts';
import { behindFastLane } from '../../../src/api/http/fast-lane.ts';
import { InFlight } from '../../../src/api/http/in-flight.ts';
import { httpMetrics } from '../../../src/api/http/metrics.ts';
import type { Route } from '../../../src/api/http/route.ts';
import { type HttpServerOptions, startHttpServer } from '../../../src/api/http/server.ts';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';
import { createRateLimits } from '../../../src/node/rate-limits.ts';

/**
 * An application of `routes` on a free port. The token `good` is a user's, `openid` the same user's
 * with that scope, `admin` an administrator's.
 */
export async function startTestApp(
  routes: readonly Route[],
  {
    floorMs = 0,
    ...overrides
  }: Partial<Pick<HttpServerOptions, 'timeouts' | 'port' | 'reusePort' | 'idleGraceMs'>> & {
    readonly floorMs?: number;
  } = {},
) {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const inFlight = new InFlight();
  const registry = new Registry();
  const metrics = httpMetrics(registry);
  const app = createApp({
    routes,
    authenticators: testAuthenticators,
    rateLimits: createRateLimits({ enabled: true }),
    floor: { ms: floorMs, onOverrun: () => {}, hold: async () => true },
    allowedOrigins: ['https://app.example'],
    trustedProxies: [],
    log,
    metrics,
    inFlight,
  });
  const http = await startHttpServer({
    listener: behindFastLane(app, routes, { log, inFlight, metrics }),
    inFlight,
    host: '127.0.0.1',
    port: 0,
    idleGraceMs: 0,
    ...overrides,
  });
  const url = `http://127.0.0.1:${http.port}`;
  return { ...http, url, lines, registry, raw: (text: string) => exchange(http.port, text) };
}

const testAuthenticators: AppOptions['authenticators'] = {
  async bearer({ text: token }) {
    if (!['good', 'openid', 'admin'].includes(token)) throw new LatchkeyError('invalid_token');
    return {
      userId: token === 'admin' ? 'u2' : 'u1',
      sessionId: 's1',
      roles: token === 'admin' ? ['latchkey:admin'] : [],
      lacksNewRoles: false,
      scopes: token === 'openid' ? ['openid'] : [],
      authentication: { amr: ['pwd'], acr: '1fa', auth_time: 0 },
    };
  },
  demandOf: ({ recent }) => (recent ? { maxAgeSeconds: 60 } : {}),
  client({ clientId, clientSecret }) {
    if (clientSecret !== 'right') throw new LatchkeyError('invalid_client');
    return { clientId };
  },
};

/** Sends bytes as they are and reads until the server closes the connection. */
function exchange(
  port: number,
  text: string,
): Promise<{ status: number; head: string; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject).on('close', () => {
      const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
      resolve({ status: Number(head.split(' ')[1]), head, body });
    });
  });
}
