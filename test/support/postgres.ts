import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/platform/embedded-postgres/start.ts';
import { setRoleTimeouts } from '../../src/platform/postgres/application-role.ts';
import { migrate } from '../../src/platform/postgres/migrate.ts';
import { installJobSchema } from '../../src/worker/job-schema.ts';
import { migrationsDirectory, silentLogger } from './cluster.ts';

export interface TestDatabase {
  readonly name: string;
  /** The owner, a superuser: for arranging and inspecting. */
  readonly ownerUrl: string;
  /** The application's role, with the grants and time limits of production. */
  readonly appUrl: string;
  /** Ends every connection and removes the database. */
  drop(): Promise<void>;
}

/** A database of its own for one test or file: migrated, empty, cloned in milliseconds. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { appRole } = inject('cluster');
  const database = await createCopiedDatabase();
  await withClient(database.ownerUrl, async (client) => {
    await setRoleTimeouts(client, { appRole, logger: silentLogger });
    // A clone is a copy of a log, which the service refuses.
    await client.query('select latchkey.settle_log_here()');
  });
  return database;
}

/** A copy of a migrated database, as it comes: the service refuses its log. */
export function createCopiedDatabase(): Promise<TestDatabase> {
  return createDatabase(`template ${inject('cluster').template}`);
}

/** A database without any schema, for tests of the migrations themselves. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase('');
}

export interface PrivatePostgres {
  /** Of a migrated database; both change when the port does, so read them after `restart`. */
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Ends the server and all its backends at once, as a crash of the machine would. */
  kill9(): void;
  /** Starts it again on the same data and port, after `kill9` or `stop`. */
  restart(): Promise<void>;
  /** Ends it and keeps the data, for a later `restart`. */
  stop(): Promise<void>;
  /** Ends it and removes the data. */
  remove(): Promise<void>;
}

/** A cluster of its own for a test that kills or suspends the server. */
export async function startPrivatePostgres(
  options: { settings?: Record<string, string> } = {},
): Promise<PrivatePostgres> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-private-'));
  const start = () =>
    startEmbeddedPostgres({ dataDir, logger: silentLogger, settings: options.settings ?? {} });
  let postgres: EmbeddedPostgres = await start();
  const appRole = 'latchkey_app';
  await migrate({
    ownerUrl: postgres.superuserUrl,
    appRole,
    appPassword: postgres.appPassword,
    directory: migrationsDirectory,
    logger: silentLogger,
    afterMigrations: [(client) => installJobSchema(client, appRole)],
  });
  return {
    dataDir,
    get ownerUrl() {
      return postgres.superuserUrl;
    },
    get appUrl() {
      return postgres.urlFor(appRole, postgres.appPassword);
    },
    get pid() {
      return postgres.pid;
    },
    kill9: () => kill9(postgres.pid),
    restart: async () => {
      await postgres.stop();
      postgres = await start();
    },
    stop: () => postgres.stop(),
    remove: async () => {
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The postmaster goes first, so that it cannot react to the loss of its children. */
function kill9(postmaster: number): void {
  const list = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
  const backends = list.trim().split(' ').filter(Boolean).map(Number);
  for (const pid of [postmaster, ...backends]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It was on its way out.
    }
  }
}

/** Runs `work` on a connection of its own, closed afterwards. */
export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function createDatabase(clause: string): Promise<TestDatabase> {
  const { ownerUrl, appRole, appPassword } = inject('cluster');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await withClient(ownerUrl, (client) => client.query(`create database ${name} ${clause}`));
  const owner = new URL(ownerUrl);
  owner.pathname = `/${name}`;
  const app = new URL(owner);
  app.username = appRole;
  app.password = appPassword;
  return {
    name,
    ownerUrl: owner.href,
    appUrl: app.href,
    drop: async () => {
      await withClient(ownerUrl, (client) => client.query(`drop database ${name} with (force)`));
    },
  };
}
