import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ensureApplicationRole } from './application-role.ts';
import { cut, endPolitely } from './connection.ts';
import { toUnavailable } from './errors.ts';
import { type MigrationFile, readMigrations } from './migration-files.ts';
import { migrationTurnWaitMs, takeMigrationLock } from './migration-lock.ts';
import { connectOwnClient, contactTimeoutMs, withOwnClient } from './own-client.ts';
import { requireSameDatabase } from './same-database.ts';
import { refuseTransactionPooler } from './session-connection.ts';
import { untilAnswered } from './while-unavailable.ts';

interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface MigrateOptions {
  /** A direct connection (not through a transaction pooler) as the owner of the schema. */
  readonly ownerUrl: string;
  readonly appRole: string;
  /** Set on the role when given; a role that exists keeps its own otherwise. */
  readonly appPassword?: string;
  readonly directory: string;
  /** Another way to the same database, such as a pooler: refused when it leads elsewhere. */
  readonly sameAs?: string;
  /** How long to wait for a server that is silent; by default 20 s. */
  readonly answerWaitMs?: number;
  /** How long to wait for another migration; by default ten minutes. */
  readonly turnWaitMs?: number;
  readonly logger: Logger;
  /** How long a file may be tried again while other transactions hold what it needs. */
  readonly lockWaitMs?: number;
  /**
   * Schemas that libraries bring along: run as owner, under the same lock, each time. Must be
   * idempotent.
   */
  readonly afterMigrations?: readonly ((client: pg.Client) => Promise<void>)[];
}

export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
}

/** A schema that does not match the files; nothing was changed. */
class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

const bookkeeping = `
  create schema if not exists latchkey;
  create table if not exists latchkey.schema_migrations (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`;

/**
 * Brings the database to the newest version in `directory` and returns what was applied. Forward
 * only; each file is one transaction together with its bookkeeping row. Any number of processes may
 * call it at once: one works, the others wait and find nothing to do. Throws MigrationError when an
 * applied file was edited, removed or overtaken, or a projected table differs from its compiled
 * projection; MigrationLockError; ConfigError for a connection that no migration can use; and
 * LatchkeyError `unavailable` when the server is not there or stays silent.
 */
export async function migrate(options: MigrateOptions): Promise<AppliedMigration[]> {
  const files = readMigrations(options.directory);
  const { logger, answerWaitMs } = options;
  const client = await untilAnswered(() => openSession(options), logger, answerWaitMs);
  client.on('error', (error) => logger.warn({ err: error }, 'migration connection lost'));
  try {
    const waitMs = options.turnWaitMs ?? migrationTurnWaitMs;
    await takeMigrationLock(client, { waitMs, logger });
    await client.query(bookkeeping);
    const pending = await pendingMigrations(client, files, logger);
    for (const file of pending) await applyWhenFree(client, file, options);
    await requireCompiledProjections(client);
    await ensureApplicationRole(client, options);
    for (const hook of options.afterMigrations ?? []) await hook(client);
    return pending.map(({ version, name }) => ({ version, name }));
  } finally {
    await client.end();
  }
}

/**
 * A session of Postgres that no pooler shares, in the database that is meant. The deadline is on
 * these first statements only: a migration may take as long as it needs.
 */
async function openSession({ ownerUrl, sameAs }: MigrateOptions): Promise<pg.Client> {
  const applicationName = 'latchkey migrate';
  const client = await connectOwnClient({ url: ownerUrl, applicationName });
  const deadline = setTimeout(() => cut(client), contactTimeoutMs);
  try {
    // Nothing that another role put into a schema on the owner's path is ever found.
    await client.query('set search_path to pg_catalog, pg_temp');
    await refuseTransactionPooler(client, ownerUrl);
    if (sameAs !== undefined) {
      await withOwnClient({ url: sameAs, applicationName }, (other) =>
        requireSameDatabase(other, client),
      );
    }
    return client;
  } catch (error) {
    await endPolitely(client);
    throw toUnavailable(error);
  } finally {
    clearTimeout(deadline);
  }
}

/** The newest applied version, 0 in a database that was never migrated. */
export async function schemaVersion(database: {
  query(text: string): Promise<{ rows: unknown[] }>;
}): Promise<number> {
  try {
    const { rows } = await database.query(
      'select coalesce(max(version), 0) as version from latchkey.schema_migrations',
    );
    return (rows[0] as { version: number }).version;
  } catch (error) {
    const undefinedTable = '42P01';
    if ((error as pg.DatabaseError).code === undefinedTable) return 0;
    throw error;
  }
}

/**
 * The version this code was written for. A database may be newer: release N runs on the schema of
 * N+1.
 */
export function expectedSchemaVersion(directory: string): number {
  return readMigrations(directory).at(-1)?.version ?? 0;
}

async function pendingMigrations(
  client: pg.Client,
  files: MigrationFile[],
  logger: Logger,
): Promise<MigrationFile[]> {
  const { rows: applied } = await client.query<{ version: number; name: string; checksum: string }>(
    'select version, name, checksum from latchkey.schema_migrations order by version',
  );
  const known = new Map(files.map((file) => [file.version, file]));
  const newestKnown = files.at(-1)?.version ?? 0;
  for (const { version, name, checksum } of applied) {
    if (version > newestKnown) {
      logger.warn({ version, migration: name }, 'the schema is newer than this release');
      continue;
    }
    const file = known.get(version);
    if (file === undefined)
      throw new MigrationError(`Migration ${name} was applied, its file is missing`);
    if (file.checksum !== checksum) {
      throw new MigrationError(
        `Migration ${file.fileName} was changed after it was applied: restore it and add a new file instead`,
      );
    }
  }
  const newestApplied = applied.at(-1)?.version ?? 0;
  const done = new Set(applied.map(({ version }) => version));
  const pending = files.filter(({ version }) => !done.has(version));
  const overtaken = pending.find(({ version }) => version < newestApplied);
  if (overtaken !== undefined) {
    throw new MigrationError(
      `Migration ${overtaken.fileName} is older than the schema (version ${newestApplied}): give it the next number`,
    );
  }
  return pending;
}

/**
 * While a statement waits for a lock, everybody else waits behind it. So a file gives up after
 * `lockTimeoutMs`, lets the others pass, and is tried again.
 */
async function applyWhenFree(
  client: pg.Client,
  file: MigrationFile,
  { logger, lockWaitMs = 60_000 }: MigrateOptions,
): Promise<void> {
  const deadline = performance.now() + lockWaitMs;
  for (;;) {
    const outcome = await apply(client, file, logger);
    if (outcome === 'applied') return;
    const holders = await oldestTransactions(client);
    if (performance.now() > deadline) {
      throw new MigrationError(
        `Migration ${file.fileName} got no lock in ${Math.round(lockWaitMs / 1000)} s. ` +
          `The oldest open transactions are: ${holders.join('; ')}. End them and migrate again`,
      );
    }
    logger.warn({ migration: file.name, holders }, 'a migration waits for open transactions');
    await delay(lockPauseMs);
  }
}

const lockTimeoutMs = 500;
const lockPauseMs = 500;
const lockNotAvailable = '55P03';

async function apply(
  client: pg.Client,
  file: MigrationFile,
  logger: Logger,
): Promise<'applied' | 'locked'> {
  const startedAt = performance.now();
  await client.query('begin');
  try {
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`);
    await client.query(
      'insert into latchkey.schema_migrations (version, name, checksum) values ($1, $2, $3)',
      [file.version, file.name, file.checksum],
    );
    await client.query(file.sql);
    await requireCompiledProjections(client);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    if ((error as pg.DatabaseError).code === lockNotAvailable) return 'locked';
    throw new MigrationError(`Migration ${file.fileName} failed: ${describe(error)}`, {
      cause: error,
    });
  }
  const duration_ms = Math.round(performance.now() - startedAt);
  logger.info({ version: file.version, migration: file.name, duration_ms }, 'migration applied');
  return 'applied';
}

/**
 * A column that no projection writes would stay null without any error. Asked in the transaction of
 * each file, so that the file which forgot to compile can still be mended.
 */
async function requireCompiledProjections(client: pg.Client): Promise<void> {
  const { rows: check } = await client.query<{ exists: boolean }>(
    `select to_regproc('latchkey.uncompiled_projections') is not null as exists`,
  );
  if (!check[0]!.exists) return;
  const { rows } = await client.query<{ stale: string }>(
    'select latchkey.uncompiled_projections() as stale',
  );
  if (rows.length === 0) return;
  throw new MigrationError(
    `These projections are not compiled: ${rows.map(({ stale }) => stale).join('; ')}. ` +
      'End the migration that changes them with `select latchkey.compile_projections();`',
  );
}

async function oldestTransactions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ holder: string }>(
    `select format('process %s (%s), open for %s s', pid, coalesce(nullif(application_name, ''),
        'no name'), round(extract(epoch from clock_timestamp() - xact_start))) as holder
      from pg_stat_activity
      where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
      order by xact_start limit 3`,
  );
  return rows.map(({ holder }) => holder);
}

function describe(error: unknown): string {
  const { message, position, where } = error as pg.DatabaseError;
  return [message, position && `at character ${position}`, where].filter(Boolean).join(', ');
}
