import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { alerts, alertsFile, renderAlerts, runbookOf } from '../../grafana/alerts.ts';
import { registeredBy } from '../support/registered-metrics.ts';
import { readText } from '../support/source-files.ts';

describe('the alert rules', () => {
  it('are those that `node grafana/alerts.ts` writes, and Prometheus is told of them', () => {
    expect(readFileSync(alertsFile, 'utf8')).toBe(renderAlerts());
    expect(readText('grafana/prometheus.yml')).toContain('rule_files: [alerts.yml]');
  });

  it('ask only for metrics that some process exports', () => {
    const all = registeredBy('mail', 'process', 'eventlog', 'http', 'node', 'worker', 'redis');
    const existing = new Set(all.map(({ name }) => name));
    const asked = alerts.flatMap(({ expr }) => expr.match(/latchkey_\w+/g) ?? []);
    expect(asked.length).toBeGreaterThanOrEqual(alerts.length - 1);
    expect(asked.filter((name) => !existing.has(name))).toEqual([]);
  });

  it('each lead to a runbook in docs/operations.md', () => {
    const headings = readText('docs/operations.md').match(/^#+ .*$/gm) ?? [];
    const anchors = headings.map((heading) => heading.replace(/^#+ /, '').toLowerCase());
    expect(alerts.map(runbookOf).filter((anchor) => !anchors.includes(anchor))).toEqual([]);
    const known = alerts.map(({ name }) => name);
    const runbooks = headings.map((heading) => /^#### (Latchkey\w+)$/.exec(heading)?.[1]);
    expect(runbooks.filter((name) => name !== undefined && !known.includes(name))).toEqual([]);
  });

  it('are there for each kind of abuse', () => {
    const expressions = alerts.map(({ expr }) => expr).join('\n');
    expect(expressions).toContain('latchkey_refresh_token_reuse_total');
    expect(expressions).toContain('latchkey_lockouts_total');
    expect(expressions).toContain('latchkey_refused_networks_total');
  });
});
