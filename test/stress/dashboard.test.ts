import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dashboardQueries } from '../../grafana/dashboard.ts';
import { type Api, startApi } from '../../src/api/serve.ts';
import { loadConfig } from '../../src/node/config.ts';
import { choosePort } from '../../src/platform/embedded-postgres/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

// What makes it fail, and was tried: a query with a misspelt metric or label value, one that Prometheus cannot parse,
// and quantiles of a route that nobody asked.

const prometheusIsThere = spawnSync('prometheus', ['--version']).error === undefined;
const mustRun = process.env.CI === 'true';
const scrapeConfig = fileURLToPath(new URL('../../grafana/prometheus.yml', import.meta.url));
const password = 'violet kettle drums past midnight';
const scrapesMin = 8;
const loadSecondsMax = 60;

interface Prometheus {
  readonly url: string;
  readonly process: ChildProcess;
}

describe.skipIf(!prometheusIsThere && !mustRun)(
  'every query of the dashboard, asked of a Prometheus that scrapes the service under load',
  () => {
    const scratch = mkdtempSync(path.join(tmpdir(), 'latchkey-dashboard-'));
    let database: TestDatabase;
    let api: Api;
    let prometheus: Prometheus;

    beforeAll(async () => {
      database = await createTestDatabase();
      api = await startApi({
        config: loadConfig({
          PORT: '0',
          METRICS_PORT: '0',
          DATA_DIR: scratch,
          PASSWORD_HASH_MEMORY_KIB: '8',
          // Every refusal overruns it, and a Prometheus shows what happened, not what did not.
          LOGIN_FLOOR_MS: '1',
        }),
        databaseUrl: database.appUrl,
        log: pino({ level: 'silent' }),
      });
      prometheus = await startPrometheus(scratch, api.metricsPort);
      await firstScrape(prometheus.url);
      await loadUntilScraped(`http://${api.host}:${api.port}`, prometheus.url);
    }, 120_000);

    afterAll(async () => {
      if (prometheus !== undefined && prometheus.process.exitCode === null) {
        const exited = once(prometheus.process, 'exit');
        prometheus.process.kill('SIGTERM');
        await exited;
      }
      await api?.stop();
      await database?.drop();
      rmSync(scratch, { recursive: true, force: true });
    });

    it.each(dashboardQueries)('$panel: $legend', async ({ expr }) => {
      const values = await ask(prometheus.url, forGrafana(expr));
      expect(values.filter((value) => Number.isFinite(value))).not.toStrictEqual([]);
    });

    it('finds the queries empty when nothing like it is measured', async () => {
      const { expr } = dashboardQueries[0]!;
      const misspelt = expr.replace('latchkey_', 'latchkeys_');
      expect(await ask(prometheus.url, forGrafana(misspelt))).toStrictEqual([]);
    });

    it('counts what the load did', async () => {
      const counted = await ask(
        prometheus.url,
        'sum by (outcome) (latchkey_refreshes_total{outcome=~"rotated|repeated|session_ended"}) > 0',
      );
      expect(counted).toHaveLength(3);
    });

    it('leaves promtool without complaint about the scrape configuration', () => {
      const output = execFileSync('promtool', ['check', 'config', scrapeConfig], {
        encoding: 'utf8',
      });
      expect(output).toContain('SUCCESS');
    });

    it('D5: leaves promtool without complaint about any metric', async () => {
      const answer = await fetch(`http://127.0.0.1:${api.metricsPort}/metrics`);
      const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
        input: await answer.text(),
        encoding: 'utf8',
      });
      expect({ status, complaints: stdout + stderr }).toStrictEqual({ status: 0, complaints: '' });
    });
  },
);

/** As Grafana fills in its variables. */
function forGrafana(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
}

/** The value of each series of an instant query; throws what Prometheus objects to. */
async function ask(url: string, query: string): Promise<number[]> {
  const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
  const { status, error, data } = (await answer.json()) as {
    status: string;
    error?: string;
    data?: { result: { value: [number, string] }[] };
  };
  if (status !== 'success') throw new Error(`${query}: ${error}`);
  return data!.result.map(({ value }) => Number(value[1]));
}

async function startPrometheus(directory: string, metricsPort: number): Promise<Prometheus> {
  const committed = readFileSync(scrapeConfig, 'utf8');
  const config = committed
    .replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${metricsPort}`)
    .replace(/scrape_interval: \S+/, 'scrape_interval: 500ms')
    .replace(/scrape_timeout: \S+/, 'scrape_timeout: 500ms');
  const configFile = path.join(directory, 'prometheus.yml');
  writeFileSync(configFile, config);
  const port = await choosePort(path.join(directory, 'prometheus-port'));
  const process = spawn(
    'prometheus',
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${path.join(directory, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  await once(process, 'spawn');
  return { url: `http://127.0.0.1:${port}`, process };
}

async function scrapes(prometheus: string): Promise<number> {
  const query = 'count_over_time(latchkey_lease_valid[1m])';
  const [count = 0] = await ask(prometheus, query).catch(() => []);
  return count;
}

/** Before the first scrape nothing that happens can be seen to rise. */
async function firstScrape(prometheus: string): Promise<void> {
  const deadline = performance.now() + loadSecondsMax * 1000;
  while ((await scrapes(prometheus)) === 0) {
    if (performance.now() > deadline) throw new Error('never scraped');
    await delay(50);
  }
}

/**
 * Works the service, with all that a panel tells apart going on, until it was scraped often enough
 * for rates. Slowly: the budget of registrations must last, or nothing is appended in the end.
 */
async function loadUntilScraped(api: string, prometheus: string): Promise<void> {
  const deadline = performance.now() + loadSecondsMax * 1000;
  for (let turn = 0; ; turn++) {
    await oneTurn(api, turn);
    const count = await scrapes(prometheus);
    if (count >= scrapesMin) return;
    if (performance.now() > deadline) throw new Error(`scraped only ${count} times`);
    await delay(200);
  }
}

async function oneTurn(api: string, turn: number): Promise<void> {
  const post = (route: string, body: unknown) =>
    fetch(api + route, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const verify = (authorization: string) =>
    fetch(`${api}/auth/verify`, { headers: { authorization } });
  const account = { email: `dashboard-${turn}@example.com`, password };
  await post('/auth/register', account);
  const tokenSets = await Promise.all(
    ['web', 'mobile', 'iot'].map(async (type) => {
      const answer = await post('/auth/login', { ...account, device: { type } });
      return (await answer.json()) as { access_token: string; refresh_token: string };
    }),
  );
  const [web, mobile] = tokenSets;
  await Promise.all([
    verify(`Bearer ${web!.access_token}`),
    verify('Bearer not-a-token'),
    post('/auth/login', { ...account, password: 'wrong' }),
    post('/auth/login', { email: `unknown-${turn}@example.com`, password }),
    post('/auth/refresh', { refresh_token: 'not ours' }),
    // Two at once: one rotates, the other gets the same answer again.
    post('/auth/refresh', { refresh_token: mobile!.refresh_token }),
    post('/auth/refresh', { refresh_token: mobile!.refresh_token }),
    post('/auth/logout', { refresh_token: web!.refresh_token }),
  ]);
  await post('/auth/refresh', { refresh_token: web!.refresh_token });
  await fetch(`${api}/nowhere`);
  // Past the limit of one identifier from the first turn on.
  if (turn === 0) {
    await Promise.all(
      Array.from({ length: 80 }, () =>
        post('/auth/login', { email: 'limit@example.com', password }),
      ),
    );
  } else await post('/auth/login', { email: 'limit@example.com', password });
}
