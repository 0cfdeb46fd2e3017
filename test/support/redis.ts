import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { until } from './fault-node.ts';
import { freePort } from './free-port.ts';

export interface TestRedis {
  readonly url: string;
  /** Sees all that the server holds. */
  readonly client: Redis;
  /** Ends it at once; what it held is gone. */
  kill9(): Promise<void>;
  /** Starts it again on the same port, empty. */
  restart(settings?: readonly string[]): Promise<void>;
  /** It keeps its connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** A real redis-server on a free port, with a folder of its own and nothing on disk. */
export async function startRedis(settings: readonly string[] = []): Promise<TestRedis> {
  const directory = mkdtempSync(path.join(tmpdir(), 'latchkey-redis-'));
  const port = await freePort();
  const password = settings[settings.indexOf('--requirepass') + 1];
  const secret = settings.includes('--requirepass') ? `:${password}@` : '';
  const url = `redis://${secret}127.0.0.1:${port}`;
  let child = start(directory, port, settings);
  const client = new Redis(url, {
    protocol: 2,
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  });
  client.on('error', () => {});
  const answers = () => until(async () => (await client.ping()) === 'PONG', 10_000);
  await answers();
  const kill9 = async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    url,
    client,
    kill9,
    restart: async (changed = settings) => {
      child = start(directory, port, changed);
      await answers();
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: async () => {
      client.disconnect();
      if (child.exitCode === null && child.signalCode === null) await kill9();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The last position of the log that a whole read model in Redis has taken in; -1: none. */
export async function modelPosition({ client }: Pick<TestRedis, 'client'>): Promise<number> {
  const [text, epoch] = await client.mget('latchkey:model:checkpoint', 'latchkey:epoch');
  return epoch === null ? -1 : Number(text?.split(' ')[3] ?? -1);
}

function start(directory: string, port: number, settings: readonly string[]): ChildProcess {
  return spawn(
    'redis-server',
    [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory],
      ...['--save', '', '--appendonly', 'no', ...settings],
    ],
    { stdio: 'ignore' },
  );
}
