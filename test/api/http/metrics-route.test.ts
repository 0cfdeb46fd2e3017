import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metricsRoute } from '../../../src/api/routes/metrics.ts';
import { processRegistry } from '../../../src/platform/metrics/registry.ts';
import { startTestApp } from './test-app.ts';

let app: Awaited<ReturnType<typeof startTestApp>>;
beforeAll(async () => {
  app = await startTestApp([metricsRoute(processRegistry(), 'scrape-me')]);
});
afterAll(() => app.drain(1000));

describe('metrics on the main port', () => {
  it('are for the one with the token', async () => {
    const scrape = (headers: Record<string, string>) => fetch(`${app.url}/metrics`, { headers });
    expect((await scrape({})).status).toBe(401);
    expect((await scrape({ authorization: 'Bearer other' })).status).toBe(401);
    const answer = await scrape({ authorization: 'Bearer scrape-me' });
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await answer.text()).toContain('process_cpu_seconds_total');
  });
});
