import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { productionEnv, type Run, runLatchkey } from '../support/run-latchkey.ts';

/** Fails when a start that fails leaves a poll, a server or Postgres behind: the process stays. */
let database: TestDatabase;
let taken: Server;
let takenPort: string;
let dataDir: string;

beforeAll(async () => {
  database = await createTestDatabase();
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  takenPort = String((taken.address() as AddressInfo).port);
  dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-start-'));
});
afterAll(async () => {
  taken.close();
  await database.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

function expectOneSentence({ code, stderr }: Run, ...words: string[]): void {
  expect({ code, stderr }).toMatchObject({ code: 1 });
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(/[.]\n$/);
  for (const word of words) expect(stderr).toContain(word);
}

function envOf(command: string): Record<string, string> {
  return command === 'dev'
    ? { ...productionEnv, DATABASE_URL: database.ownerUrl, DATA_DIR: dataDir }
    : { ...productionEnv, DATABASE_URL: database.appUrl };
}

describe('B3: what fails during a start ends the process at once, with one sentence', () => {
  it.each([
    ['serve', { PORT: 'taken' }, 'PORT'],
    ['serve', { METRICS_PORT: 'taken' }, 'METRICS_PORT'],
    ['serve', { HOST: '192.0.2.1' }, 'HOST'],
    ['serve', { HOST: 'no.such.name.invalid' }, 'HOST'],
    ['worker', { WORKER_PORT: 'taken' }, 'WORKER_PORT'],
    ['worker', { WORKER_HOST: '192.0.2.1' }, 'WORKER_HOST'],
    ['dev', { PORT: 'taken' }, 'PORT'],
    ['dev', { METRICS_PORT: 'taken' }, 'METRICS_PORT'],
  ])('B3: %s with %j', async (command, settings, variable) => {
    const env = Object.entries(settings).map(([name, value]) => [
      name,
      value === 'taken' ? takenPort : value,
    ]);
    const run = await runLatchkey([command], { ...envOf(command), ...Object.fromEntries(env) });
    expectOneSentence(run, `${variable} `);
  });

  it.each(['serve', 'worker', 'dev', 'migrate', 'rebuild', 'keys list'])(
    'B3: %s without a database that answers',
    async (command) => {
      const url = 'postgres://latchkey:wrong@127.0.0.1:1/latchkey';
      const env = { ...envOf(command), DATABASE_URL: url };
      const run = await runLatchkey(command.split(' '), env);
      expectOneSentence(run, 'Postgres cannot be reached at 127.0.0.1 port 1', 'DATABASE_URL');
      expect(run.stderr).not.toContain('wrong');
    },
  );

  it.each(['serve', 'migrate'])('B3: %s with a wrong password', async (command) => {
    const url = new URL(database.appUrl);
    url.password = 'of-somebody-else';
    const run = await runLatchkey([command], { ...envOf(command), DATABASE_URL: url.href });
    expectOneSentence(run, 'password authentication failed', 'DATABASE_URL');
  });

  it.each(['serve', 'worker'])('B3: %s without a KEK', async (command) => {
    expectOneSentence(await runLatchkey([command], { ...envOf(command), KEK: '' }), 'KEK must be');
  });

  it('B3: dev stops the Postgres that it started', async () => {
    const own = path.join(dataDir, 'embedded');
    const run = await runLatchkey(['dev'], { PORT: takenPort, METRICS_PORT: '0', DATA_DIR: own });
    expectOneSentence(run, 'PORT ');
    expect(run.stdout).toContain('embedded Postgres started');
    expect(existsSync(path.join(own, 'postgres/postmaster.pid'))).toBe(false);
  });
});

describe.runIf(process.getuid?.() === 0)('as a user who may not write', () => {
  it('B10: dev in a checkout that is read-only', async () => {
    const env = { PORT: '0', METRICS_PORT: '0', DATA_DIR: path.join(dataDir, 'of-root') };
    const run = await runLatchkey(['dev'], env, { uid: 65_534 });
    expectOneSentence(run, 'DATA_DIR', 'cannot be written (EACCES)');
  });
});

describe('E9: an administrator who cannot be made', () => {
  it.each(['serve', 'dev'])('E9: %s ends with code 1 before anything listens', async (command) => {
    const env = { ADMIN_EMAIL: 'admin@example.com', ADMIN_PASSWORD: 'passwordpassword' };
    const run = await runLatchkey([command], { ...envOf(command), ...env });
    expectOneSentence(run, 'ADMIN_PASSWORD is refused');
    expect(run.stdout).not.toContain('"msg":"ready"');
    expect(run.stderr).not.toContain('passwordpassword');
  });

  it('E9: serve says which address is none', async () => {
    const env = { ADMIN_EMAIL: 'a..b@example.com', ADMIN_PASSWORD: 'a quiet harbour at dusk' };
    const run = await runLatchkey(['serve'], { ...envOf('serve'), ...env });
    expectOneSentence(run, 'ADMIN_EMAIL must be an e-mail address');
  });
});
