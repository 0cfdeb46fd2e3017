import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { migrate } from '../../src/platform/postgres/migrate.ts';

const root = path.resolve(import.meta.dirname, '../..');
const logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
const appRole = 'latchkey_app';
const startTimeoutMs = 30_000;

/** Where each process runs: the one under test alone on its core, everything else on the other. */
export const cores = { measured: 0, others: 1 } as const;

export const canPin = availableParallelism() > 1 && has('taskset');

/** CPU seconds used since their start. */
export interface CpuSeconds {
  readonly api: number;
  readonly postgres: number;
}

export interface MeasuredService {
  readonly url: string;
  readonly metricsUrl: string;
  cpu(): CpuSeconds;
  /** Where the API process can be inspected, started with `--inspect`. */
  debuggerUrl(): string;
  /** How many lines the API process has logged. */
  logLines(): number;
  /** Statements that the API sent while `work` ran, by the purpose of the connection. */
  countStatements(work: () => Promise<unknown>): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

export interface Placement {
  /** Whose `src` and `migrations` run; default: these. */
  readonly checkout?: string;
  /** Default: where it can be. Otherwise all share all cores. */
  readonly pinned?: boolean;
}

/**
 * A private embedded Postgres, migrated, with its durability untouched, and one `latchkey serve` of
 * its own. `env` adds to the API's environment.
 */
export async function startService(
  env: Record<string, string> = {},
  { checkout = root, pinned = canPin }: Placement = {},
): Promise<MeasuredService> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-'));
  const postgres = await startEmbeddedPostgres({ dataDir, logger });
  if (pinned) pin(postgres.pid, cores.others);
  const { appPassword } = postgres;
  await migrate({
    ownerUrl: postgres.url,
    appRole,
    appPassword,
    directory: path.join(checkout, 'migrations'),
    logger,
  });
  const logFile = path.join(dataDir, 'api.log');
  const api = await startApiProcess(
    logFile,
    {
      APP_ENV: 'dev',
      PORT: '0',
      METRICS_PORT: '0',
      RATE_LIMITS: 'off',
      DATA_DIR: dataDir,
      DATABASE_URL: postgres.urlFor(appRole, appPassword),
      ...env,
    },
    { checkout, pinned },
  );
  return {
    url: `http://127.0.0.1:${api.port}`,
    metricsUrl: `http://127.0.0.1:${api.metricsPort}/metrics`,
    cpu: () => ({ api: cpuOf(api.pid), postgres: cpuOfTree(postgres.pid) }),
    debuggerUrl: () => /ws:\S+/.exec(readFileSync(logFile, 'utf8'))?.[0] ?? '',
    logLines: () => lines(logFile).length,
    countStatements: (work) =>
      countStatements(postgres.superuserUrl, path.join(dataDir, 'postgres-server.log'), work),
    stop: async () => {
      await api.stop();
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Starts `file` on `core`, where that can be chosen. */
export function spawnPinned(
  core: number,
  file: string,
  args: readonly string[],
  options: Parameters<typeof spawn>[2] = {},
): ChildProcess {
  return canPin
    ? spawn('taskset', ['-c', String(core), file, ...args], options)
    : spawn(file, args, options);
}

/** Runs a program to its end on `core`; resolves with what it printed, rejects on another code than those allowed. */
export async function runPinned(
  core: number,
  file: string,
  args: readonly string[],
  { codes = [0] }: { codes?: readonly number[] } = {},
): Promise<string> {
  const child = spawnPinned(core, file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const code = await exitOf(child);
  if (typeof code !== 'number' || !codes.includes(code)) {
    throw new Error(`${file} ended with ${code}:\n${output}`);
  }
  return output;
}

export function has(program: string): boolean {
  const directories = (process.env.PATH ?? '').split(path.delimiter);
  return directories.some((directory) => {
    try {
      return readdirSync(directory).includes(program);
    } catch {
      return false;
    }
  });
}

/** POST of JSON; rejects unless answered 2xx. */
export async function post(url: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

interface ApiProcess {
  readonly pid: number;
  readonly port: number;
  readonly metricsPort: number;
  stop(): Promise<void>;
}

async function startApiProcess(
  logFile: string,
  env: Record<string, string>,
  { checkout, pinned }: Required<Placement>,
): Promise<ApiProcess> {
  const log = openSync(logFile, 'w', 0o600);
  // Profiling flags, for example `--cpu-prof`, go to the process that is measured.
  const flags = (process.env.API_NODE_OPTIONS ?? '').split(' ').filter(Boolean);
  const args = [...flags, path.join(checkout, 'src/cli/latchkey.ts'), 'serve'];
  const options: Parameters<typeof spawn>[2] = {
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, ...env },
    cwd: checkout,
  };
  const child = pinned
    ? spawnPinned(cores.measured, process.execPath, args, options)
    : spawn(process.execPath, args, options);
  closeSync(log);
  const exited = exitOf(child);
  const deadline = Date.now() + startTimeoutMs;
  while (child.exitCode === null && Date.now() < deadline) {
    const ready = lines(logFile).find((line) => line.includes('"msg":"ready"'));
    if (ready !== undefined) {
      const { port, metrics_port: metricsPort } = JSON.parse(ready);
      const stop = async () => {
        child.kill('SIGTERM');
        await exited;
      };
      return { pid: child.pid!, port, metricsPort, stop };
    }
    await sleep(20);
  }
  child.kill('SIGKILL');
  throw new Error(`the API did not start:\n${lines(logFile).slice(-20).join('\n')}`);
}

export function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

function lines(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}

/** Backends that Postgres forks from now on inherit it. */
function pin(pid: number, core: number): void {
  if (!canPin) return;
  for (const each of [pid, ...childrenOf(pid)]) {
    execFileSync('taskset', ['-a', '-p', '-c', String(core), String(each)], { stdio: 'ignore' });
  }
}

/**
 * Postgres' own log says which connection sent what: exact, and a function's inner statements are
 * not in it. Only this phase is logged; no duration is taken from it.
 */
async function countStatements(
  superuserUrl: string,
  logFile: string,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const superuser = new pg.Client({ connectionString: superuserUrl, application_name: 'bench' });
  await superuser.connect();
  const set = async (statements: string, prefix: string) => {
    await superuser.query(`alter system set log_statement = '${statements}'`);
    await superuser.query(`alter system set log_line_prefix = '${prefix}'`);
    await superuser.query('select pg_reload_conf()');
    await sleep(500);
  };
  const before = lines(logFile).length;
  try {
    await set('all', 'app=%a| ');
    await work();
    await set('none', '');
  } finally {
    await superuser.end();
  }
  const counts: Record<string, number> = {};
  for (const line of lines(logFile).slice(before)) {
    const sent = /^app=latchkey serve ?(.*?)\| LOG: {2}(?:statement|execute )/.exec(line);
    const purpose = sent?.[1];
    if (purpose !== undefined) counts[purpose] = (counts[purpose] ?? 0) + 1;
  }
  return counts;
}

const ticksPerSecond = 100;

/** CPU seconds of one process since its start, in steps of 10 ms. */
export function cpuOf(pid: number, { withReaped = false } = {}): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const used = fields.slice(11, withReaped ? 15 : 13).map(Number);
    return used.reduce((sum, ticks) => sum + ticks, 0) / ticksPerSecond;
  } catch {
    return 0;
  }
}

export function cpuOfTree(pid: number): number {
  const own = cpuOf(pid, { withReaped: true });
  return childrenOf(pid).reduce((sum, child) => sum + cpuOfTree(child), own);
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return list.trim().split(' ').filter(Boolean).map(Number);
}
