import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { PgBoss } from 'pg-boss';
import { Serial } from '../eventlog/serial.ts';

/**
 * Named after the library's major version: the next one may bring its own schema and run beside
 * this one.
 */
export const jobSchemaName = 'pgboss_v12';

const indexBuildMinutesMax = 30;

/**
 * Installs or upgrades the job tables as the owner and lets the application role work with their
 * rows. Idempotent; for `migrate` to run under its lock, outside a transaction.
 */
export async function installJobSchema(client: pg.Client, appRole: string): Promise<void> {
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
  const role = client.escapeIdentifier(appRole);
  await client.query(`grant usage on schema ${jobSchemaName} to ${role}`);
  await client.query(
    `grant select, insert, update, delete on all tables in schema ${jobSchemaName} to ${role}`,
  );
  await client.query(`grant usage, select on all sequences in schema ${jobSchemaName} to ${role}`);
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
