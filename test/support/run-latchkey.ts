import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { compileCache } from './compile-cache.ts';

export interface Run {
  /** The exit code, or the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningLatchkey {
  readonly child: ChildProcess;
  /** What it logged when it was ready. */
  readonly ready: Record<string, unknown>;
  /** Everything it wrote to stdout, line by line. */
  readonly lines: readonly string[];
  /** SIGTERM; answers the exit code, or the signal that ended it. */
  stop(): Promise<number | string>;
}

type Env = Readonly<Record<string, string>>;

interface StartOptions {
  /** By default the program of this repository. */
  readonly program?: string;
  readonly uid?: number;
  readonly cwd?: string;
  /** The log line that is waited for; by default `ready`. */
  readonly until?: string;
}

const root = path.resolve(import.meta.dirname, '../..');
const command = path.join(root, 'src/cli/latchkey.ts');
/** A process that is still there after this long did not end by itself. */
const lifeMsMax = 30_000;

/** Whoever ran `npm start` here has secrets in the folder that dev takes by default. */
const noData = path.join(tmpdir(), `latchkey-none-${randomBytes(6).toString('hex')}`);

/** A key for the tests that need one. */
export const testKek = `test:${randomBytes(32).toString('base64url')}`;

/** What `serve` and `worker` need besides a database, on ports that are free. */
export const productionEnv: Env = {
  KEK: testKek,
  ISSUER: 'https://latchkey.test',
  HOST: '127.0.0.1',
  PORT: '0',
  METRICS_PORT: '0',
};

/** Runs the command of an operator to its end; SIGKILL if it does not come to one. */
export async function runLatchkey(
  args: readonly string[],
  env: Env,
  options: StartOptions = {},
): Promise<Run> {
  const child = start(args, env, { ...options, lifeMs: lifeMsMax });
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (chunk) => (stdout += chunk));
  child.stderr!.on('data', (chunk) => (stderr += chunk));
  const [code, signal] = await once(child, 'close');
  return { code: code ?? signal, stdout, stderr };
}

/** Starts it and waits until it says that it is ready; rejects with what it said instead. */
export async function startLatchkey(
  args: readonly string[],
  env: Env,
  options: StartOptions = {},
): Promise<RunningLatchkey> {
  const child = start(args, env, options);
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const lines: string[] = [];
  let stderr = '';
  child.stderr!.on('data', (chunk) => (stderr += chunk));
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line);
      if (line.includes(`"msg":"${options.until ?? 'ready'}`)) resolve(JSON.parse(line));
    });
    void exited.then((code) => reject(new Error(`ended with ${code}: ${stderr}`)));
  });
  return {
    child,
    ready,
    lines,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

function start(
  args: readonly string[],
  env: Env,
  { program = command, uid, cwd = root, lifeMs }: StartOptions & { readonly lifeMs?: number },
): ChildProcess {
  return spawn(process.execPath, [program, ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...compileCache, DATA_DIR: noData, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(lifeMs === undefined ? {} : { timeout: lifeMs, killSignal: 'SIGKILL' }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}
