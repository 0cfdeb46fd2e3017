import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/platform/metrics/metrics.ts';

describe('metrics', () => {
  it('D5: have their usual names where they are not ours', async () => {
    const { registry } = createMetrics();
    const metrics = await registry.getMetricsAsJSON();
    const names = metrics.map(({ name }) => name);
    expect(names).toContain('process_cpu_seconds_total');
    expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
    for (const { name, type } of metrics) {
      expect(name).toMatch(/^(latchkey|process|nodejs)_[a-z0-9_]+$/);
      expect(name.endsWith('_total'), name).toBe(String(type) === 'counter');
      expect(name).not.toMatch(/_(ms|millis|minutes|kb)(_|$)/);
    }
  });

  it('put the edges of the request histogram on the SLO thresholds', async () => {
    const metrics = createMetrics();
    metrics.observeRequest('/auth/refresh', 'POST', 200, 0.01);
    const text = await metrics.registry.metrics();
    expect(text).toContain('le="0.05"');
    expect(text).toContain('le="0.6"');
    expect(text).toContain('{route="/auth/refresh",method="POST",status="2xx"} 1');
  });

  it('count a method that nobody declared without making a series of it', async () => {
    const metrics = createMetrics();
    metrics.observeRequest('unmatched', 'PROPFIND', 404, 0.01);
    expect(await metrics.registry.metrics()).toContain('method="other",status="4xx"');
  });

  it('read their sources when scraped', async () => {
    const metrics = createMetrics();
    metrics.sources.tailAgeSeconds = () => 0.25;
    metrics.sources.leaseValid = () => true;
    metrics.sources.pools.readers = () => ({ total: 6, idle: 5, waiting: 0 });
    metrics.sources.verifications.accepted = 41;
    await metrics.registry.metrics();
    metrics.sources.verifications.accepted += 1;
    const text = await metrics.registry.metrics();
    expect(text).toContain('latchkey_tail_age_seconds 0.25');
    expect(text).toContain('latchkey_lease_valid 1');
    expect(text).toContain('latchkey_pool_connections{pool="readers",state="idle"} 5');
    expect(text).toContain('latchkey_verifications_total{result="accepted"} 42');
  });
});
