import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { PgBoss } from 'pg-boss';
import { Serial } from '../eventlog/serial.ts';

/**
 * Named after the library's major version: the next one may bring its own schema and run beside
 * this one.
 */
export const jobSchemaName = 'pgboss_v12';

/** Where jobs end that failed for good. */
export const deadLetterQueue = 'jobs.failed';

const indexBuildMinutesMax = 30;

/**
 * Installs or upgrades the job tables as the owner and lets the application role work with their
 * rows. Idempotent; for `migrate` to run under its lock, outside a transaction.
 */
export async function installJobSchema(client: pg.Client, appRole: string): Promise<void> {
  await refuseForeignRows(client, appRole);
  const statements = new Serial();
  const boss = new PgBoss({
    // Its background task shares this one connection with the statements below.
    db: { executeSql: (text, values) => statements.run('', () => client.query(text, values)) },
    schema: jobSchemaName,
    migrate: true,
    supervise: false,
    schedule: false,
  });
  const errors: Error[] = [];
  boss.on('error', (error) => errors.push(error));
  await boss.start();
  try {
    await untilIndexesAreBuilt(boss, errors);
  } finally {
    await boss.stop({ graceful: false });
  }
  await grantJobTables(client, client.escapeIdentifier(appRole));
}

/** The tables whose rows the worker changes; a table that a new release brings is not among them. */
export const jobTables = [
  'job',
  'job_common',
  'job_dependency',
  'queue',
  'queue_stats',
  'schedule',
  'subscription',
  'warning',
] as const;

/** When which worker did what last; the version itself decides what a migration runs. */
const versionColumns = ['cron_on', 'flow_on', 'reindex_on', 'monitor_backoff_on'];

/**
 * Names each table, because two others would give too much: the statements in `bam` run with the
 * owner's rights, and a lower `version` makes migrations run again.
 */
async function grantJobTables(client: pg.Client, role: string): Promise<void> {
  const tables = jobTables.map((table) => `${jobSchemaName}.${table}`).join(', ');
  await client.query(`begin;
    revoke all on all tables in schema ${jobSchemaName} from ${role};
    grant usage on schema ${jobSchemaName} to ${role};
    grant select, insert, update, delete on ${tables} to ${role};
    grant select, update (${versionColumns.join(', ')}) on ${jobSchemaName}.version to ${role};
    grant usage, select on all sequences in schema ${jobSchemaName} to ${role};
    commit`);
}

/** What the owner would run, or build a statement from, and the application role may have written. */
class ForeignRowsError extends Error {
  override readonly name = 'ForeignRowsError';
}

/**
 * The job library runs the statements in `bam` as the owner, and builds statements from
 * `queue.table_name`. Rows there that may be the application role's are refused before it starts.
 */
async function refuseForeignRows(client: pg.Client, appRole: string): Promise<void> {
  const { rows: installed } = await client.query(
    `select to_regclass('${jobSchemaName}.bam') is not null as bam,
      to_regclass('${jobSchemaName}.queue') is not null as queue,
      (select count(*) from pg_roles where rolname = $1) > 0 as role`,
    [appRole],
  );
  const { bam, queue, role } = installed[0];
  if (bam && role) {
    const { rows } = await client.query(
      `select count(*)::integer as count from ${jobSchemaName}.bam where status <> 'completed'
        and has_table_privilege($1, '${jobSchemaName}.bam', 'insert, update')`,
      [appRole],
    );
    if (rows[0].count > 0) throw foreignRows('bam', `status <> 'completed'`, rows[0].count);
  }
  if (queue) {
    const foreign = `partition or table_name <> 'job_common'`;
    const { rows } = await client.query(
      `select count(*)::integer as count from ${jobSchemaName}.queue where ${foreign}`,
    );
    if (rows[0].count > 0) throw foreignRows('queue', foreign, rows[0].count);
  }
}

function foreignRows(table: string, condition: string, count: number): ForeignRowsError {
  return new ForeignRowsError(
    `${jobSchemaName}.${table} holds ${count} rows that Latchkey did not write and that would be run as the owner. ` +
      `Look at them, find out who knows the application role's password, then: ` +
      `delete from ${jobSchemaName}.${table} where ${condition}`,
  );
}

/**
 * An upgrade may leave index builds to a background task that only a process with the owner's
 * rights can run.
 */
async function untilIndexesAreBuilt(boss: PgBoss, errors: readonly Error[]): Promise<void> {
  const deadline = performance.now() + indexBuildMinutesMax * 60_000;
  for (;;) {
    const status = await boss.getBamStatus();
    const count = (wanted: string) => status.find((entry) => entry.status === wanted)?.count ?? 0;
    if (count('failed') > 0 || errors.length > 0 || performance.now() > deadline) {
      throw new Error('The job tables could not be upgraded', { cause: errors[0] });
    }
    if (count('pending') + count('in_progress') === 0) return;
    await delay(250);
  }
}
