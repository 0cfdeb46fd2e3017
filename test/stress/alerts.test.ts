import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alerts, alertsFile } from '../../grafana/alerts.ts';
import { type AlertCase, alertCases } from './alert-cases.ts';

// What makes it fail, and was tried: another threshold, a longer `for`, a misspelt metric.

const promtoolIsThere = spawnSync('promtool', ['--version']).error === undefined;
const mustRun = process.env.CI === 'true';

describe.skipIf(!promtoolIsThere && !mustRun)('the alert rules, asked of promtool', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'latchkey-alerts-'));
    copyFileSync(alertsFile, path.join(directory, 'alerts.yml'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** Whether `name` fires over these series; throws promtool's complaint about anything else. */
  function fires(name: string, series: AlertCase['fires'], at = '20m'): boolean {
    const firing = `count(ALERTS{alertname="${name}",alertstate="firing"}) > bool 0`;
    const test = {
      rule_files: ['alerts.yml'],
      evaluation_interval: at.endsWith('d') ? '1h' : '1m',
      tests: [
        {
          interval: at.endsWith('d') ? '1h' : '1m',
          input_series: Object.entries(series).map(([one, values]) => ({ series: one, values })),
          promql_expr_test: [
            { expr: firing, eval_time: at, exp_samples: [{ labels: '{}', value: 1 }] },
          ],
        },
      ],
    };
    // What is JSON is YAML too.
    writeFileSync(path.join(directory, 'test.yml'), JSON.stringify(test));
    const run = spawnSync('promtool', ['test', 'rules', 'test.yml'], {
      cwd: directory,
      encoding: 'utf8',
    });
    const output = run.stdout + run.stderr;
    if (run.status === 0) return true;
    if (!/got:\s*nil/.test(output)) throw new Error(output);
    return false;
  }

  it('are rules to it', () => {
    const { status, stdout } = spawnSync('promtool', ['check', 'rules', 'alerts.yml'], {
      cwd: directory,
      encoding: 'utf8',
    });
    expect(status, stdout).toBe(0);
    expect(stdout).toContain(`${alerts.length} rules found`);
  });

  it('have a case each', () => {
    expect(Object.keys(alertCases).toSorted()).toEqual(alerts.map(({ name }) => name).toSorted());
  });

  it.each(Object.entries(alertCases))('%s fires when it should, and not before', (name, given) => {
    expect(fires(name, given.fires, given.at), 'fires').toBe(true);
    expect(fires(name, given.isQuiet, given.at), 'is quiet').toBe(false);
  });

  it('finds no alert that nobody has written', () => {
    expect(fires('LatchkeyNobodyWrote', { up: '1x30' })).toBe(false);
  });
});
