import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectedSchemaVersion, migrate } from '../../../src/platform/postgres/migrate.ts';
import { migrationsDirectory, silentLogger } from '../../support/cluster.ts';
import { openTestLog, type TestLog } from '../../support/event-log.ts';
import { startSession } from '../../support/session-commands.ts';

let log: TestLog;
let reader: pg.Client;
let directory: string;

beforeEach(async () => {
  log = await openTestLog();
  reader = new pg.Client({ connectionString: log.database.ownerUrl, application_name: 'a report' });
  await reader.connect();
  await reader.query('begin');
  await reader.query('select count(*) from latchkey.events');
  directory = mkdtempSync(path.join(tmpdir(), 'latchkey-migrations-'));
  cpSync(migrationsDirectory, directory, { recursive: true });
});
afterEach(async () => {
  await reader.end();
  await log.close();
  rmSync(directory, { recursive: true });
});

function run(sql: string, lockWaitMs: number) {
  const next = String(expectedSchemaVersion(directory) + 1).padStart(6, '0');
  writeFileSync(path.join(directory, `${next}_next.sql`), sql);
  const { ownerUrl } = log.database;
  const options = { ownerUrl, appRole: 'latchkey_app', directory, logger: silentLogger };
  return migrate({ ...options, lockWaitMs });
}

/** Appends one after the other until `until` has settled; an append that waits for 2 s throws. */
async function appendsDuring(until: Promise<unknown>): Promise<number> {
  let appended = 0;
  let settled = false;
  const end = until.finally(() => {
    settled = true;
  });
  end.catch(() => {});
  while (!settled) {
    await log.writer.append(startSession().command);
    appended += 1;
  }
  return appended;
}

describe('a migration beside an open reader of the log', () => {
  // Fails when the partition is made with PARTITION OF: that takes ACCESS EXCLUSIVE on the log.
  it('F15: adds a stream kind without waiting', async () => {
    const applied = await run("select latchkey.add_stream_kind(99::smallint, 'next')", 0);
    expect(applied.map(({ name }) => name)).toEqual(['next']);
    const insert = `insert into latchkey.events
        (kind, stream_id, version, type, schema_v, data, meta, recorded_at)
      values (99, gen_random_uuid(), 1, 'Filler', 1, '{}', '{}', now())`;
    await log.owner.query(insert);
    await expect(log.owner.query("update latchkey.events set type = 'x'")).rejects.toThrow(
      'append-only',
    );
    await expect(log.owner.query('truncate latchkey.events_next')).rejects.toThrow('append-only');
  });

  // Fails without a lock_timeout: the appends queue behind the migration until they give up.
  it('F15: that needs the whole table lets appends pass and names who holds it', async () => {
    const migrating = run('alter table latchkey.events add column extra text', 1_500);
    expect(await appendsDuring(migrating)).toBeGreaterThan(10);
    await expect(migrating).rejects.toThrow(/got no lock in 2 s.*a report.*End them/);
  });

  it('F15: goes on by itself once the reader is gone', async () => {
    const migrating = run('alter table latchkey.events add column extra text', 60_000);
    for (let n = 0; n < 5; n += 1) await log.writer.append(startSession().command);
    await reader.query('rollback');
    expect((await migrating).map(({ name }) => name)).toEqual(['next']);
  });
});
