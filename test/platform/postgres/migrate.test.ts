import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../../src/platform/logging/logging.ts';
import {
  expectedSchemaVersion,
  migrate,
  schemaVersion,
} from '../../../src/platform/postgres/migrate.ts';
import { migrationsDirectory, silentLogger } from '../../support/cluster.ts';
import { createEmptyDatabase, type TestDatabase, withClient } from '../../support/postgres.ts';

const grants = `create function latchkey.grant_application(role_name text) returns void
  language sql as $$ select $$;`;

let database: TestDatabase;
let directory: string;

beforeEach(async () => {
  database = await createEmptyDatabase();
  directory = mkdtempSync(path.join(tmpdir(), 'latchkey-migrations-'));
  write('000001_first.sql', `create table latchkey.first (n int); ${grants}`);
});
afterEach(async () => {
  await database.drop();
  rmSync(directory, { recursive: true });
});

function write(fileName: string, sql: string): void {
  writeFileSync(path.join(directory, fileName), sql);
}

function run(extra: Partial<Parameters<typeof migrate>[0]> = {}) {
  return migrate({
    ownerUrl: database.ownerUrl,
    appRole: 'latchkey_app',
    directory,
    logger: silentLogger,
    ...extra,
  });
}

function version(): Promise<number> {
  return withClient(database.ownerUrl, schemaVersion);
}

describe('a run', () => {
  test('applies what is new, in order, once', async () => {
    write('000002_second.sql', 'alter table latchkey.first add m int');
    expect(await version()).toBe(0);
    expect(await run()).toEqual([
      { version: 1, name: 'first' },
      { version: 2, name: 'second' },
    ]);
    expect(await run()).toEqual([]);
    expect(await version()).toBe(2);
    expect(expectedSchemaVersion(directory)).toBe(2);
  });

  test('leaves nothing of a file that fails, and keeps the files before it', async () => {
    write('000002_broken.sql', 'create table latchkey.half (n int); select 1/0;');
    await expect(run()).rejects.toThrow('Migration 000002_broken.sql failed: division by zero');
    expect(await version()).toBe(1);
    const half = await withClient(database.ownerUrl, (client) =>
      client.query("select to_regclass('latchkey.half') as name"),
    );
    expect(half.rows).toEqual([{ name: null }]);
  });

  test('runs the schemas of libraries afterwards, as owner', async () => {
    const hook = async (client: pg.Client) => {
      await client.query('create schema if not exists library');
    };
    await run({ afterMigrations: [hook] });
    await run({ afterMigrations: [hook] });
    const { rows } = await withClient(database.ownerUrl, (client) =>
      client.query("select to_regnamespace('library') is not null as found"),
    );
    expect(rows).toEqual([{ found: true }]);
  });
});

describe('refuses', () => {
  beforeEach(async () => {
    write('000002_second.sql', 'select 2');
    await run();
  });

  test('a file that was changed after it was applied', async () => {
    write('000002_second.sql', 'select 3');
    await expect(run()).rejects.toThrow('000002_second.sql was changed after it was applied');
  });

  test('but not other line ends', async () => {
    const file = '000001_first.sql';
    write(file, readFileSync(path.join(directory, file), 'utf8').replaceAll('\n', '\r\n'));
    expect(await run()).toEqual([]);
  });

  test('a file that was applied and is missing', async () => {
    renameSync(path.join(directory, '000002_second.sql'), path.join(directory, 'kept'));
    write('000003_third.sql', 'select 3');
    await expect(run()).rejects.toThrow('should have number 2');
  });

  test('a file whose number the schema has passed', async () => {
    await withClient(database.ownerUrl, (client) =>
      client.query('update latchkey.schema_migrations set version = 3 where version = 2'),
    );
    write('000003_third.sql', 'select 3');
    await expect(run()).rejects.toThrow();
  });

  test.each(['000003-third.sql', '3_third.sql', '000004_gap.sql', '000002_twice.sql'])(
    'the name %s',
    async (fileName) => {
      write(fileName, 'select 3');
      await expect(run()).rejects.toThrow(`Migration ${fileName} `);
    },
  );
});

// Fails when a field is called as one that stands in every line: readers keep the last one.
test('log lines say no key twice', async () => {
  const lines: string[] = [];
  const logger = createLogger(
    { level: 'info', name: 'latchkey' },
    { write: (line) => void lines.push(line) },
  );
  write('000002_second.sql', 'create table latchkey.second (n int)');
  await run({ logger });
  rmSync(path.join(directory, '000002_second.sql'));
  await run({ logger });

  expect(lines.join('')).toContain('migration applied');
  expect(lines.join('')).toContain('the schema is newer');
  for (const line of lines) expect(line.match(/"name":/g), line).toHaveLength(1);
});

test('a schema newer than the files is left alone', async () => {
  write('000002_second.sql', 'select 2');
  await run();
  rmSync(path.join(directory, '000002_second.sql'));
  expect(await run()).toEqual([]);
  expect(await version()).toBe(2);
});

describe('a column of a projected table', () => {
  beforeEach(async () => {
    rmSync(directory, { recursive: true });
    cpSync(migrationsDirectory, directory, { recursive: true });
    await run();
  });
  const addColumn = 'alter table latchkey.users add column colour text';

  function writeNext(sql: string): void {
    const next = String(expectedSchemaVersion(directory) + 1).padStart(6, '0');
    write(`${next}_next.sql`, sql);
  }

  // Fails when the check runs after the commit: the file could then not be mended any more.
  test('is not added by a file that does not compile its projection', async () => {
    const before = await version();
    writeNext(addColumn);

    await expect(run()).rejects.toThrow('not compiled: latchkey.users: colour');

    expect(await version()).toBe(before);
  });

  test('is added by a file that compiles its projection', async () => {
    const before = await version();
    writeNext(`${addColumn}; select latchkey.compile_projections();`);

    await run();

    expect(await version()).toBe(before + 1);
  });

  // Fails when only new files are checked: nothing would tell of a column that was added by hand.
  test('is refused when it was added by hand, with nothing to migrate', async () => {
    await withClient(database.ownerUrl, (client) => client.query(addColumn));

    await expect(run()).rejects.toThrow('not compiled: latchkey.users: colour');
  });
});

describe('the application role', () => {
  test('is created with its password, and keeps it when none is given', async () => {
    const role = `app_${database.name}`;
    const ownerUrl = new URL(database.ownerUrl);
    await run({ appRole: role, appPassword: "it's secret" });
    await run({ appRole: role });
    ownerUrl.username = role;
    ownerUrl.password = encodeURIComponent("it's secret");
    const who = await withClient(ownerUrl.href, (client) =>
      client.query("select current_user as name, current_setting('lock_timeout') as lock"),
    );
    expect(who.rows).toEqual([{ name: role, lock: '2s' }]);
    await withClient(database.ownerUrl, (client) => client.query(`drop role ${role}`));
  });

  test('an owner who may not create it is told what to run', async () => {
    const owner = `owner_${database.name}`;
    await withClient(database.ownerUrl, async (client) => {
      await client.query(`create role ${owner} login password 'x'`);
      await client.query(`grant create on database ${database.name} to ${owner}`);
    });
    const ownerUrl = new URL(database.ownerUrl);
    ownerUrl.username = owner;
    ownerUrl.password = 'x';
    const attempt = run({ ownerUrl: ownerUrl.href, appRole: `app_${database.name}` });
    await expect(attempt).rejects.toThrow(/as a superuser run: create role/);
    await withClient(database.ownerUrl, async (client) => {
      await client.query(`drop owned by ${owner}`);
      await client.query(`drop role ${owner}`);
    });
  });
});

test('twenty processes at once: each migration is applied once and all succeed', async () => {
  rmSync(directory, { recursive: true });
  cpSync(migrationsDirectory, directory, { recursive: true });
  const script = path.resolve(import.meta.dirname, '../../support/run-migrate.ts');
  const results = await Promise.all(
    Array.from({ length: 20 }, () => runProcess(script, [database.ownerUrl, directory])),
  );
  expect(results.map(({ errors }) => errors).filter(Boolean)).toEqual([]);
  const files = readdirSync(directory).filter((name) => name.endsWith('.sql'));
  const applied = results.flatMap(({ output }) => JSON.parse(output) as unknown[]);
  expect(applied).toHaveLength(files.length);
  expect(await version()).toBe(files.length);
}, 60_000);

function runProcess(script: string, args: string[]): Promise<{ output: string; errors: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args]);
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.once('close', (code) =>
      resolve({ output, errors: code === 0 ? '' : `${errors || `exit ${code}`}` }),
    );
  });
}
