import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, it } from 'vitest';
import { choosePort } from '../../src/platform/embedded-postgres/free-port.ts';
import { eventually } from '../worker/eventually.ts';

const root = path.resolve(import.meta.dirname, '../..');
const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-dev-'));
let service: ChildProcess;
afterEach(async () => {
  if (service.exitCode === null) {
    const exited = new Promise((resolve) => service.once('exit', resolve));
    service.kill('SIGTERM');
    await exited;
  }
  rmSync(dataDir, { recursive: true, force: true });
});

// Fails when nobody watches the embedded server: the service then stays up without a database.
it('given a kill -9 of the embedded Postgres, the service that `npm start` runs is ready again by itself', async () => {
  const port = await choosePort(path.join(dataDir, 'port'));
  service = spawn(process.execPath, ['src/cli/latchkey.ts', 'dev'], {
    cwd: root,
    env: { PATH: process.env.PATH, PORT: String(port), METRICS_PORT: '0', DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids: number[] = [];
  let started = false;
  createInterface({ input: service.stdout! }).on('line', (line) => {
    const pid = /"postgres_pid":(\d+)/.exec(line)?.[1];
    if (pid !== undefined) pids.push(Number(pid));
    // Until then a lost Postgres ends the start.
    if (line.startsWith('Latchkey is ready')) started = true;
  });
  const isReady = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    return answer?.status === 200;
  };
  await eventually(async () => started && (await isReady()), 30_000);
  process.kill(pids[0]!, 'SIGKILL');
  await eventually(async () => pids.length === 2 && (await isReady()), 30_000);
  expect(service.exitCode).toBeNull();
}, 90_000);
