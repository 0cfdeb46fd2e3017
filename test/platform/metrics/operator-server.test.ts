import { afterEach, describe, expect, it } from 'vitest';
import {
  type OperatorServer,
  type OperatorServerOptions,
  startOperatorServer,
} from '../../../src/platform/metrics/operator-server.ts';
import { processRegistry } from '../../../src/platform/metrics/registry.ts';

const registry = processRegistry();
let server: OperatorServer;
afterEach(() => server.close());

/** Asks the server's address on loopback, wherever else it listens. */
async function start(options: Partial<OperatorServerOptions> = {}) {
  const variables = { port: 'METRICS_PORT' } as const;
  server = await startOperatorServer({
    host: '127.0.0.1',
    port: 0,
    variables,
    registry,
    ...options,
  });
  return (target: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${server.port}${target}`, init);
}

describe('the address for operators', () => {
  it('serves the metrics, whatever stands behind a question mark, to GET and HEAD', async () => {
    const ask = await start();
    const answer = await ask('/metrics?x=1');
    expect(answer.headers.get('content-type')).toBe(registry.contentType);
    expect(await answer.text()).toContain('process_cpu_seconds_total');
    const head = await ask('/metrics', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const posted = await ask('/metrics', { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await ask('/other')).status).toBe(404);
    expect((await ask('/healthz')).status).toBe(404);
  });

  it('B7: beyond loopback asks for the token, and without one has no metrics', async () => {
    const open = await start({ host: '0.0.0.0' });
    expect((await open('/metrics')).status).toBe(404);
    await server.close();
    const token = 'a token of the scraper';
    const ask = await start({ host: '0.0.0.0', token: token.replaceAll(' ', '-') });
    const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } });
    expect((await ask('/metrics')).status).toBe(401);
    expect((await ask('/metrics', bearer('another'))).status).toBe(401);
    expect((await ask('/metrics', bearer('a-token-of-the-scraper'))).status).toBe(200);
  });

  it('B7: names what is failing', async () => {
    const readiness = async () => ({ ready: false, failing: ['database'] });
    const ask = await start({ readiness });
    expect((await ask('/healthz')).status).toBe(200);
    const answer = await ask('/readyz');
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { status: 'not_ready', failing: ['database'] },
    ]);
  });
});
