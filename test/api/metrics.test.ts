import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { httpMetrics } from '../../src/api/http/metrics.ts';
import { nodeMetrics } from '../../src/node/metrics.ts';
import { startTestApi } from '../support/api.ts';
import { registeredBy } from '../support/registered-metrics.ts';

describe('metrics', () => {
  it('D5: have their usual names where they are not ours', () => {
    const usual = registeredBy('process').map(({ name }) => name);
    expect(usual).toContain('process_cpu_seconds_total');
    expect(usual).toContain('nodejs_eventloop_lag_p99_seconds');
    const own = registeredBy('eventlog', 'http', 'node', 'worker', 'redis', 'mail');
    expect(own.filter(({ name }) => !name.startsWith('latchkey_'))).toEqual([]);
    for (const { name, type } of [...own, ...registeredBy('process')]) {
      expect(name).toMatch(/^(latchkey|process|nodejs)_[a-z0-9_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name).not.toMatch(/_(ms|millis|minutes|kb)(_|$)/);
    }
  });

  it('belong to one part each', () => {
    const names = registeredBy('eventlog', 'http', 'node', 'worker', 'redis', 'mail').map(
      ({ name }) => name,
    );
    expect(names.toSorted()).toEqual([...new Set(names)].sort());
  });

  // Fails when an API registers what it does not measure, such as the jobs of a worker.
  it('of an API are those of its parts, and no other', async () => {
    const api = await startTestApi();
    const exported = (await api.node.metrics.registry.getMetricsAsJSON()).map(({ name }) => name);
    const own = exported.filter((name) => name.startsWith('latchkey_'));
    const parts = registeredBy('eventlog', 'http', 'node').map(({ name }) => name);
    expect(own.toSorted()).toEqual(parts.toSorted());
    await api.stop();
  });

  it('put the edges of the request histogram on the SLO thresholds', async () => {
    const registry = new Registry();
    httpMetrics(registry).observeRequest('/auth/refresh', 'POST', 200, 0.01);
    const text = await registry.metrics();
    expect(text).toContain('le="0.05"');
    expect(text).toContain('le="0.6"');
    expect(text).toContain('{route="/auth/refresh",method="POST",status="2xx"} 1');
  });

  it('count a method that nobody declared without making a series of it', async () => {
    const registry = new Registry();
    httpMetrics(registry).observeRequest('unmatched', 'PROPFIND', 404, 0.01);
    expect(await registry.metrics()).toContain('method="other",status="4xx"');
  });

  // Fails when what was counted before a scrape is counted again at the next.
  it('count verifications in plain numbers', async () => {
    const registry = new Registry();
    const { verifications } = nodeMetrics(registry);
    verifications.accepted = 41;
    await registry.metrics();
    verifications.accepted += 1;
    expect(await registry.metrics()).toContain(
      'latchkey_verifications_total{result="accepted"} 42',
    );
  });

  it('of a node are read when somebody scrapes', async () => {
    const api = await startTestApi();
    const text = await api.node.metrics.registry.metrics();
    expect(text).toContain('latchkey_lease_valid 1');
    expect(text).toMatch(/latchkey_pool_connections\{pool="readers",state="idle"\} \d/);
    await api.stop();
  });
});
