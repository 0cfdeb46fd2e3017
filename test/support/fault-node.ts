import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { compileCache } from './compile-cache.ts';

export const faultPassword = 'a long and ordinary sentence';
export const faultKek = 'fault:ti4O6eS1hh8kDGysf4iDb_otMbUyxqak_xZ9lYUnfLo';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the process answers
  readonly body: any;
  readonly ms: number;
}

export interface Call {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A process of the product, started as an operator starts it, that a test may end in any way. */
export interface FaultProcess {
  readonly pid: number;
  /** Everything it logged, as it stands. */
  readonly lines: readonly string[];
  kill9(): Promise<void>;
  /** SIGTERM; answers the exit code, or the signal that ended it. */
  terminate(): Promise<number | string>;
}

export interface FaultNode extends FaultProcess {
  readonly port: number;
  readonly metricsPort: number;
  readonly url: string;
  /** Rejects only when there is no HTTP answer at all. */
  call(method: string, path: string, options?: Call): Promise<Answer>;
}

export interface FaultOptions {
  readonly databaseUrl: string;
  readonly directUrl?: string;
  readonly reusePort?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** A build that is not ours, in place of `latchkey`: a file, from here. */
  readonly variant?: string;
}

const startTimeoutMs = 30_000;

/** `latchkey serve` with cheap hashes, no rate limits and a free port. */
export async function startFaultNode(options: FaultOptions): Promise<FaultNode> {
  const { process: running, ready } = await start('serve', options);
  const { port, metrics_port: metricsPort } = ready as { port: number; metrics_port: number };
  const url = `http://127.0.0.1:${port}`;
  return { ...running, port, metricsPort, url, call: (...args) => callAt(url, ...args) };
}

/** `latchkey worker`. */
export async function startFaultWorker(options: FaultOptions): Promise<FaultProcess> {
  return (await start('worker', options)).process;
}

async function start(
  command: 'serve' | 'worker',
  {
    databaseUrl,
    directUrl,
    reusePort = false,
    env = {},
    variant = 'fault-process.ts',
  }: FaultOptions,
): Promise<{ process: FaultProcess; ready: Record<string, unknown> }> {
  const program = path.resolve(import.meta.dirname, variant);
  const child = spawn(
    process.execPath,
    [program, command, ...(reusePort ? ['--reuse-port'] : [])],
    {
      env: {
        ...compileCache,
        PATH: process.env.PATH,
        APP_ENV: 'dev',
        PORT: '0',
        METRICS_PORT: '0',
        ISSUER: 'http://latchkey.test',
        KEK: faultKek,
        KEY_ALGORITHM: 'ES256',
        PASSWORD_HASH_MEMORY_KIB: '8',
        LOGIN_FLOOR_MS: '20',
        RATE_LIMITS: 'off',
        DATABASE_URL: databaseUrl,
        ...(directUrl === undefined ? {} : { DATABASE_DIRECT_URL: directUrl }),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const lines: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => lines.push(line));
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const ready = await readyLine(child, exited, lines);
  return {
    ready,
    process: {
      pid: child.pid!,
      lines,
      kill9: async () => {
        child.kill('SIGKILL');
        await exited;
      },
      terminate: () => {
        child.kill('SIGTERM');
        return exited;
      },
    },
  };
}

async function readyLine(
  child: ChildProcess,
  exited: Promise<number | string>,
  lines: string[],
): Promise<Record<string, unknown>> {
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    reject(new Error(`not ready in time:\n${lines.join('\n')}`));
  }, startTimeoutMs);
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    if (line.includes('"msg":"ready"')) resolve(JSON.parse(line));
  });
  void exited.then((code) => reject(new Error(`ended with ${code}:\n${lines.join('\n')}`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects only when there is no HTTP answer at all. */
export async function callAt(
  url: string,
  method: string,
  target: string,
  { token, body, headers = {} }: Call = {},
): Promise<Answer> {
  const startedAt = performance.now();
  const response = await fetch(url + target, {
    method,
    headers: {
      ...headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const ms = performance.now() - startedAt;
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
    ms,
  };
}

/** The answer of a call that must have this status. */
export async function expectStatus(status: number, answer: Promise<Answer>): Promise<Answer> {
  const actual = await answer;
  if (actual.status === status) return actual;
  throw new Error(`${actual.status} instead of ${status}: ${JSON.stringify(actual.body)}`);
}

export async function registerUser(node: Pick<FaultNode, 'call'>, email: string): Promise<void> {
  const body = { email, password: faultPassword };
  await expectStatus(201, node.call('POST', '/auth/register', { body }));
}

/** The TokenSet of a login that must succeed. */
export async function logIn(node: FaultNode, email: string, deviceType = 'web') {
  const body = { email, password: faultPassword, device: { type: deviceType } };
  return (await expectStatus(200, node.call('POST', '/auth/login', { body }))).body;
}

export async function verifyStatus(node: FaultNode, token: string): Promise<number> {
  return (await node.call('GET', '/auth/verify', { token })).status;
}

/** Tries until `attempt` answers true; answers how long that took, in milliseconds. */
export async function until(
  attempt: () => Promise<boolean>,
  timeoutMs: number,
  pauseMs = 25,
): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    if (await attempt().catch(() => false)) return performance.now() - startedAt;
    if (performance.now() - startedAt > timeoutMs) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
