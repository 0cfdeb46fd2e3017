import pg from 'pg';
import { ensureApplicationRole } from './application-role.ts';
import { type MigrationFile, readMigrations } from './migration-files.ts';

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
  readonly logger: Logger;
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
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

// Any constant does, as long as every release uses the same.
const lockKey = '7021385604918273';

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
 * applied file was edited, removed or overtaken.
 */
export async function migrate(options: MigrateOptions): Promise<AppliedMigration[]> {
  const files = readMigrations(options.directory);
  const client = new pg.Client({
    connectionString: options.ownerUrl,
    application_name: 'latchkey migrate',
  });
  client.on('error', (error) => options.logger.warn({ err: error }, 'migration connection lost'));
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [lockKey]);
    await client.query(bookkeeping);
    const pending = await pendingMigrations(client, files, options.logger);
    for (const file of pending) await apply(client, file, options.logger);
    await ensureApplicationRole(client, options);
    for (const hook of options.afterMigrations ?? []) await hook(client);
    return pending.map(({ version, name }) => ({ version, name }));
  } finally {
    await client.end();
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
      logger.warn({ version, name }, 'the schema is newer than this release');
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

async function apply(client: pg.Client, file: MigrationFile, logger: Logger): Promise<void> {
  const startedAt = performance.now();
  await client.query('begin');
  try {
    await client.query(
      'insert into latchkey.schema_migrations (version, name, checksum) values ($1, $2, $3)',
      [file.version, file.name, file.checksum],
    );
    await client.query(file.sql);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw new MigrationError(`Migration ${file.fileName} failed: ${describe(error)}`, {
      cause: error,
    });
  }
  const durationMs = Math.round(performance.now() - startedAt);
  logger.info({ version: file.version, name: file.name, durationMs }, 'migration applied');
}

function describe(error: unknown): string {
  const { message, position, where } = error as pg.DatabaseError;
  return [message, position && `at character ${position}`, where].filter(Boolean).join(', ');
}
