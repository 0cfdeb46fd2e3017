import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dashboardFile, dashboardQueries, renderDashboard } from '../../grafana/dashboard.ts';
import { loadConfig } from '../../src/node/config.ts';
import { registeredBy } from '../support/registered-metrics.ts';
import { readText } from '../support/source-files.ts';

describe('the Grafana dashboard', () => {
  it('is the one that `node grafana/dashboard.ts` writes', () => {
    expect(readFileSync(dashboardFile, 'utf8')).toBe(renderDashboard());
  });

  it('asks only for metrics that the service has', () => {
    const exported = new Set<string>();
    for (const { name, type } of registeredBy('process', 'eventlog', 'http', 'node')) {
      exported.add(name);
      if (type !== 'histogram') continue;
      for (const suffix of ['bucket', 'sum', 'count']) exported.add(`${name}_${suffix}`);
    }
    const asked = dashboardQueries.flatMap(
      ({ expr }) => expr.match(/(?:latchkey|process|nodejs)_\w+/g) ?? [],
    );
    expect(asked.filter((name) => !exported.has(name))).toStrictEqual([]);
  });

  it('shows every metric of our own that an API process exports', () => {
    const own = registeredBy('eventlog', 'http', 'node').map(({ name }) => name);
    const shown = dashboardQueries.map(({ expr }) => expr).join('\n');
    // It has no series before the first refusal: an alert, not a panel (docs/operations.md).
    expect(own.filter((name) => !shown.includes(name))).toStrictEqual([
      'latchkey_refused_rows_total',
    ]);
  });

  it('names the datasource that is provisioned', () => {
    const provisioned = readText('grafana/provisioning/datasources/prometheus.yml');
    const { panels } = JSON.parse(renderDashboard());
    const uids = new Set<string>();
    for (const { type, datasource } of panels) if (type !== 'row') uids.add(datasource.uid);
    expect([...uids]).toStrictEqual([/uid: (\S+)/.exec(provisioned)?.[1]]);
  });

  it('is fed from where the API serves its metrics by default', () => {
    const { metrics } = loadConfig({});
    expect(readText('grafana/prometheus.yml')).toContain(`127.0.0.1:${metrics.port}`);
  });
});
