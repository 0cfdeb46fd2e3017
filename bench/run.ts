import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  canPin,
  cores,
  has,
  type MeasuredService,
  post,
  runPinned,
  startService,
} from './http/service.ts';

// `npm run bench`: the k6 scripts against one API process on a core of its own; k6 and Postgres
// share the other. Prints the table and writes results/http.md.

const k6Module = 'go.k6.io/k6@v1.8.1';
const scripts = ['verify', 'refresh', 'login'] as const;
const measuredSeconds = Number(process.env.SECONDS ?? 15);
const countedSeconds = 3;
const accountsPrepared = 16;
const idleSeconds = 3;
/** k6's code for crossed thresholds: the figures are still figures. */
const thresholdsCrossed = 99;

type Script = (typeof scripts)[number];

interface Summary {
  readonly requests: number;
  readonly perSecond: number;
  readonly errors: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly crossed: readonly string[];
}

function findK6(): string {
  if (has('k6')) return 'k6';
  const goPath = () => execFileSync('go', ['env', 'GOPATH'], { encoding: 'utf8' }).trim();
  if (!has('go')) throw new Error(`needs k6 on PATH, or Go to run: go install ${k6Module}`);
  const installed = path.join(goPath(), 'bin', 'k6');
  if (!existsSync(installed)) {
    console.log(`k6 is missing: go install ${k6Module}`);
    execFileSync('go', ['install', k6Module], { stdio: 'inherit' });
  }
  return installed;
}

/** Registered once; each run of a script gets a new session of each account. */
async function logInAll(service: MeasuredService, scratch: string): Promise<string> {
  const accounts = [];
  for (let index = 0; index < accountsPrepared; index++) {
    const credentials = {
      email: `bench-${index}@example.com`,
      password: 'violet kettle drums past midnight',
    };
    const { access_token: accessToken, refresh_token: refreshToken } = await post(
      `${service.url}/auth/login`,
      credentials,
    );
    accounts.push({ ...credentials, accessToken, refreshToken });
  }
  const file = path.join(scratch, 'accounts.json');
  writeFileSync(file, JSON.stringify(accounts), { mode: 0o600 });
  return file;
}

async function register(service: MeasuredService): Promise<void> {
  for (let index = 0; index < accountsPrepared; index++) {
    const email = `bench-${index}@example.com`;
    await post(`${service.url}/auth/register`, {
      email,
      password: 'violet kettle drums past midnight',
    });
  }
}

interface Stage {
  readonly k6: string;
  readonly service: MeasuredService;
  readonly scratch: string;
}

async function runK6(
  { k6, service, scratch }: Stage,
  script: Script,
  seconds: number,
  accounts: string,
): Promise<Summary> {
  const summaryFile = path.join(scratch, 'summary.json');
  await runPinned(
    cores.others,
    k6,
    [
      'run',
      '--quiet',
      '--no-usage-report',
      `--summary-export=${summaryFile}`,
      ...['-e', `BASE_URL=${service.url}`, '-e', `ACCOUNTS=${accounts}`],
      ...['-e', `SECONDS=${seconds}`],
      path.join(import.meta.dirname, 'k6', `${script}.js`),
    ],
    { codes: [0, thresholdsCrossed] },
  );
  return readSummary(JSON.parse(readFileSync(summaryFile, 'utf8')).metrics);
}

type K6Metrics = Record<string, Record<string, number> & { thresholds?: Record<string, boolean> }>;

function readSummary(metrics: K6Metrics): Summary {
  const of = (metric: string, value: string) => metrics[metric]?.[value] ?? Number.NaN;
  const crossed = Object.entries(metrics).flatMap(([metric, { thresholds = {} }]) =>
    // k6 exports true for a threshold that was crossed.
    Object.entries(thresholds).flatMap(([text, isCrossed]) =>
      isCrossed ? [`${metric} ${text}`] : [],
    ),
  );
  return {
    requests: of('http_reqs', 'count'),
    perSecond: of('http_reqs', 'rate'),
    errors: of('http_req_failed', 'passes'),
    p50: of('http_req_duration', 'med'),
    p95: of('http_req_duration', 'p(95)'),
    p99: of('http_req_duration', 'p(99)'),
    crossed,
  };
}

async function measure(stage: Stage, script: Script) {
  const { service, scratch } = stage;
  const accounts = await logInAll(service, scratch);
  const before = service.cpu();
  const summary = await runK6(stage, script, measuredSeconds, accounts);
  const after = service.cpu();

  const fresh = await logInAll(service, scratch);
  let counted = 0;
  const statements = await service.countStatements(async () => {
    counted = (await runK6(stage, script, countedSeconds, fresh)).requests;
  });
  const { reader = 0, writer = 0, 'revocation poll': ofPoll = 0 } = statements;
  const milliseconds = (seconds: number) => ((seconds * 1000) / summary.requests).toFixed(3);
  return {
    crossed: summary.crossed,
    ofPoll,
    row: {
      script,
      'req/s': summary.perSecond.toFixed(0),
      'p50 ms': summary.p50.toFixed(2),
      'p95 ms': summary.p95.toFixed(2),
      'p99 ms': summary.p99.toFixed(2),
      errors: summary.errors,
      'API CPU ms/req': milliseconds(after.api - before.api),
      'Postgres CPU ms/req': milliseconds(after.postgres - before.postgres),
      'SQL read/req': (reader / counted).toFixed(2),
      'SQL write/req': (writer / counted).toFixed(2),
    },
  };
}

async function idleCpu(service: MeasuredService): Promise<string> {
  const before = service.cpu();
  await sleep(idleSeconds * 1000);
  const after = service.cpu();
  const share = (used: number) => `${((used / idleSeconds) * 100).toFixed(1)} %`;
  return (
    `idle, with its revocation poll, the API uses ${share(after.api - before.api)} of a core ` +
    `and Postgres ${share(after.postgres - before.postgres)}`
  );
}

function markdownTable(rows: readonly Record<string, unknown>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const line = (cells: readonly unknown[]) => `| ${cells.join(' | ')} |`;
  const rule = line(names.map(() => '---'));
  return [line(names), rule, ...rows.map((row) => line(names.map((name) => row[name])))].join('\n');
}

async function main(): Promise<void> {
  const k6 = findK6();
  const scratch = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-k6-'));
  const service = await startService();
  try {
    await register(service);
    const idle = await idleCpu(service);
    const measured = [];
    for (const script of scripts) measured.push(await measure({ k6, service, scratch }, script));
    const rows = measured.map(({ row }) => row);
    const crossed = measured.flatMap((each) => each.crossed);
    console.table(rows);
    console.log(idle);
    console.log(crossed.length === 0 ? 'Every threshold holds.' : `Crossed: ${crossed.join('; ')}`);
    writeFileSync(
      path.join(import.meta.dirname, 'results', 'http.md'),
      `${report(rows, idle, crossed)}\n`,
    );
    if (crossed.length > 0) process.exitCode = 1;
  } finally {
    await service.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function report(
  rows: readonly Record<string, unknown>[],
  idle: string,
  crossed: readonly string[],
): string {
  const placed = canPin ? 'API on core 0, k6 and Postgres on core 1' : 'not pinned';
  return `# HTTP, with k6

\`npm run bench\` of ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} cores
(${cpus()[0]?.model ?? 'unknown'}); ${placed}. ${measuredSeconds} s each. One \`latchkey serve\`, rate limits off,
password hash at the default cost (Argon2id, 46 MiB, t=1), embedded Postgres with its durability
untouched. Statements are counted in a run of their own.

${markdownTable(rows)}

CPU is process time by requests, with what each does besides: ${idle}.
Thresholds: ${crossed.length === 0 ? 'all hold' : `crossed: ${crossed.join('; ')}`}.`;
}

await main();
