import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { compileCache } from './compile-cache.ts';

export interface ApiProcess {
  readonly url: string;
  readonly pid: number;
  /** What it logged, one JSON object a line. */
  readonly lines: readonly string[];
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL: nothing is drained, nothing is said. */
  kill9(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into, not passed on
type Json = any;

export interface ProcessAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

const kek = `test:${randomBytes(32).toString('base64url')}`;
const entry = path.resolve(import.meta.dirname, 'run-api.ts');

/** An API process on a free port. All those of one test file share a KEK, as nodes do. */
export async function startApiProcess(
  databaseUrl: string,
  env: Record<string, string> = {},
): Promise<ApiProcess> {
  const child = spawn(process.execPath, [entry], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...compileCache,
      DATABASE_URL: databaseUrl,
      PORT: '0',
      METRICS_PORT: '0',
      ISSUER: 'http://latchkey.test',
      KEK: kek,
      KEY_ALGORITHM: 'ES256',
      PASSWORD_HASH_MEMORY_KIB: '8',
      LOGIN_FLOOR_MS: '5',
      RATE_LIMITS: 'off',
      POOL_READERS: '4',
      ...env,
    },
  });
  const lines: string[] = [];
  const port = await listening(child, lines);
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return (await exited)[0] as number | null;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    lines,
    stop: () => end('SIGTERM'),
    kill9: async () => void (await end('SIGKILL')),
  };
}

function listening(child: ChildProcess, lines: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    let complaint = '';
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const port = /^port (\d+)$/.exec(line)?.[1];
      if (port === undefined) lines.push(line);
      else resolve(Number(port));
    });
    child.stderr!.on('data', (text) => {
      complaint += text;
    });
    child.once('exit', () => reject(new Error(`the API did not start: ${complaint}`)));
  });
}

/** POSTs JSON. The answer's body is parsed when it is JSON. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<ProcessAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

/** The status of `/auth/verify` at one process. */
export async function verifyAt(url: string, token: string): Promise<number> {
  const response = await fetch(`${url}/auth/verify`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await response.arrayBuffer();
  return response.status;
}
