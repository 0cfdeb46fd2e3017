import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dashboardFile, dashboardQueries, renderDashboard } from '../../grafana/dashboard.ts';
import { loadConfig } from '../../src/platform/config/config.ts';
import { createMetrics } from '../../src/platform/metrics/metrics.ts';

describe('the Grafana dashboard', () => {
  it('is the one that `node grafana/dashboard.ts` writes', () => {
    expect(readFileSync(dashboardFile, 'utf8')).toBe(renderDashboard());
  });

  it('asks only for metrics that the service has', async () => {
    const exported = new Set<string>();
    for (const { name, type } of await createMetrics().registry.getMetricsAsJSON()) {
      exported.add(name);
      if (String(type) !== 'histogram') continue;
      for (const suffix of ['bucket', 'sum', 'count']) exported.add(`${name}_${suffix}`);
    }
    const asked = dashboardQueries.flatMap(
      ({ expr }) => expr.match(/(?:latchkey|process|nodejs)_\w+/g) ?? [],
    );
    expect(asked.filter((name) => !exported.has(name))).toStrictEqual([]);
  });

  it('shows every metric of our own', async () => {
    const own = (await createMetrics().registry.getMetricsAsJSON())
      .map(({ name }) => name)
      .filter((name) => name.startsWith('latchkey_'));
    const shown = dashboardQueries.map(({ expr }) => expr).join('\n');
    expect(own.filter((name) => !shown.includes(name))).toStrictEqual([]);
  });

  it('names the datasource that is provisioned', () => {
    const provisioned = read('provisioning/datasources/prometheus.yml');
    const { panels } = JSON.parse(renderDashboard());
    const uids = new Set<string>();
    for (const { type, datasource } of panels) if (type !== 'row') uids.add(datasource.uid);
    expect([...uids]).toStrictEqual([/uid: (\S+)/.exec(provisioned)?.[1]]);
  });

  it('is fed from where the API serves its metrics by default', () => {
    const { metricsPort } = loadConfig({});
    expect(read('prometheus.yml')).toContain(`127.0.0.1:${metricsPort}`);
  });
});

function read(file: string): string {
  return readFileSync(new URL(file, new URL('../../grafana/', import.meta.url)), 'utf8');
}
