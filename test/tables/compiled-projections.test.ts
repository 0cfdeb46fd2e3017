import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendBatch, encodeBatch } from '../../src/eventlog/append.ts';
import type { CommandRows } from '../../src/eventlog/command.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { testSeal } from '../support/seal.ts';
import { commandOf, startSession, touch } from '../support/session-commands.ts';

let log: TestLog;
beforeEach(async () => {
  log = await openTestLog();
});
afterEach(() => log.close());

const now = '2026-01-05T10:00:00.000Z';
const compile = 'select latchkey.compile_projections()';

async function stale(): Promise<string[]> {
  const { rows } = await log.owner.query('select latchkey.uncompiled_projections() as stale');
  return rows.map((row) => row.stale as string);
}

async function tableRows(table: string): Promise<Record<string, unknown>[]> {
  const { rows } = await log.owner.query(`select * from latchkey.${table}`);
  return rows;
}

/** Appends versions of one session: the row of each is the first one with other columns. */
async function appendVersions(...versions: Record<string, string | string[]>[]): Promise<void> {
  const { sessionId, command } = startSession();
  const [row] = command.rows.sessions!;
  for (const [index, columns] of versions.entries()) {
    const sessions = [{ ...row!, version: index + 1, ...columns }];
    await log.writer.append(commandOf([touch(sessionId, index || 'none')], { sessions }));
  }
}

const storeRows = (rows: CommandRows) =>
  appendBatch(log.pools.writers, [commandOf([touch(newId(), 'none')], rows)], {
    patient: false,
    seal: testSeal,
  });

describe('a session appended twice', () => {
  // Fails when the conflict list leaves a column out: the row would keep its first value.
  it('has the second amr', async () => {
    await appendVersions({ amr: ['pwd'] }, { amr: ['pwd', 'otp'] });

    expect(await tableRows('sessions')).toMatchObject([{ version: 2, amr: ['pwd', 'otp'] }]);
  });
});

describe('a column that a later migration adds', () => {
  beforeEach(async () => {
    await log.owner.query('alter table latchkey.sessions add column "Acr level" text');
  });

  // Fails when a column list is written by hand.
  it('is written, once compiled', async () => {
    await log.owner.query(compile);

    await appendVersions({ 'Acr level': 'low' });

    expect(await tableRows('sessions')).toMatchObject([{ 'Acr level': 'low' }]);
  });

  // Fails when a conflict list is written by hand.
  it('is updated, once compiled', async () => {
    await log.owner.query(compile);

    await appendVersions({ 'Acr level': 'low' }, { 'Acr level': 'high' });

    expect(await tableRows('sessions')).toMatchObject([{ version: 2, 'Acr level': 'high' }]);
  });

  // Fails when `insert` has no column list: a new column would shift or break it.
  it('leaves append working while it is not compiled', async () => {
    await appendVersions({ 'Acr level': 'low' });

    expect(await tableRows('sessions')).toMatchObject([{ version: 1, 'Acr level': null }]);
  });

  // Fails when the check compares nothing but names of tables.
  it('is named while it is not compiled', async () => {
    expect(await stale()).toEqual(['latchkey.sessions: "Acr level"']);
  });

  // Fails when the check compares with anything but what was compiled.
  it('is not named once it is compiled', async () => {
    await log.owner.query(compile);

    expect(await stale()).toEqual([]);
  });

  // Fails when `local` is ignored: the row would take a null.
  it('keeps its default when the registry says that the rows do not carry it', async () => {
    await log.owner.query(`alter table latchkey.sessions alter "Acr level" set default 'none'`);
    await log.owner.query(`update latchkey.projected_tables set local = '{Acr level}'
      where name = 'sessions'; ${compile}`);

    await appendVersions({ 'Acr level': 'low' }, { 'Acr level': 'high' });

    expect(await tableRows('sessions')).toMatchObject([{ version: 2, 'Acr level': 'none' }]);
  });
});

describe('the check of what is compiled', () => {
  // Fails when it looks for missing columns only: every append of a user would fail.
  it('names a column that was dropped', async () => {
    await log.owner.query('alter table latchkey.users drop column locked_until');

    expect(await stale()).toEqual(['latchkey.users: locked_until']);
  });

  // Fails when it compares names of columns only.
  it('names a table whose column has another type', async () => {
    await log.owner.query('alter table latchkey.users alter lock_count type bigint');

    expect(await stale()).toEqual(['latchkey.users']);
  });

  // Fails when it looks at the tables of the registry only: append would go on writing this one.
  it('names the functions that write a table which is no longer registered', async () => {
    await log.owner.query(`delete from latchkey.projected_tables where name = 'invites'`);

    expect(await stale()).toEqual(['latchkey.project_early', 'latchkey.project_late']);
  });
});

describe('the compiler', () => {
  // Fails when `on conflict` is compiled without a key: the first append would find out.
  it('refuses a table without a primary key', async () => {
    await log.owner.query(`create table latchkey.notes (note_id uuid);
      insert into latchkey.projected_tables (name) values ('notes')`);

    await expect(log.owner.query(compile)).rejects.toThrow('latchkey.notes has no primary key');
  });

  // Fails when a misspelled local column is passed over: the real one would be set to null.
  it('refuses a local column that the table does not have', async () => {
    await log.owner.query(`update latchkey.projected_tables set local = '{creatd_at}'
      where name = 'key_secrets'`);

    await expect(log.owner.query(compile)).rejects.toThrow('has no column creatd_at');
  });
});

describe('a noun of four statements', () => {
  const kind = 99;
  beforeEach(async () => {
    await log.owner.query(`
      create table latchkey.warehouses (
        warehouse_id uuid primary key, version integer not null, name text not null, mac text);
      insert into latchkey.projected_tables (name) values ('warehouses');
      select latchkey.add_stream_kind(${kind}, 'warehouse');
      select latchkey.compile_projections();
      select latchkey.grant_application('latchkey_app')`);
  });

  async function appendWarehouse(version: number, id: string, name: string): Promise<void> {
    const rows = { warehouses: [{ warehouse_id: id, version, name }] } as CommandRows;
    const command = commandOf([touch(id, version === 1 ? 'none' : version - 1)], rows);
    const { parameters } = encodeBatch([command], testSeal);
    const places = parameters.map((_, index) => `$${index + 1}`).join(', ');
    const { rows: answer } = await log.pools.writers.query({
      text: `select outcomes from latchkey.append(${places})`,
      values: parameters.with(2, [kind]),
    });
    expect(answer).toEqual([{ outcomes: ['appended'] }]);
  }

  // Fails when append names its tables, or the grants are a list: the role could not write it.
  it('has its row written and updated by an append of the application', async () => {
    const id = newId();

    await appendWarehouse(1, id, 'Ada & Co.');
    await appendWarehouse(2, id, 'Ada Ltd.');

    expect(await tableRows('warehouses')).toMatchObject([
      { warehouse_id: id, version: 2, name: 'Ada Ltd.' },
    ]);
  });

  // Fails when the events of a new kind have no partition of their own.
  it('has its events in their own partition', async () => {
    await appendWarehouse(1, newId(), 'Ada & Co.');

    expect(await tableRows('events_warehouse')).toMatchObject([{ kind, version: 1 }]);
  });

  // Fails when the probe names tables: a node would call itself ready while no append can pass.
  it.each(['warehouses', 'events_warehouse'])('is locked by the probe: %s', async (table) => {
    await log.owner.query(`begin; lock table latchkey.${table} in share mode`);

    const probe = log.pools.writers.query({ text: 'select latchkey.probe_append(false)' });

    await expect(probe).rejects.toMatchObject({ code: '55P03' });
    await log.owner.query('rollback');
  });
});

describe('the probe', () => {
  // Fails when one of the tables that an append writes is left out of its locks.
  it('locks every registered table, the streams, the revocations and the log', async () => {
    const tables = await tableRows('projected_tables');
    await log.owner.query('begin');
    await log.owner.query('select latchkey.probe_append(false)');
    const { rows } = await log.owner.query(`select relation::regclass::text as name from pg_locks
      where pid = pg_backend_pid() and mode = 'RowExclusiveLock' and locktype = 'relation'`);
    await log.owner.query('rollback');

    const others = ['events', 'streams', 'revocations', 'events_session'];
    const expected = [...tables.map(({ name }) => name), ...others];
    expect(rows.map(({ name }) => name)).toEqual(
      expect.arrayContaining(expected.map((name) => `latchkey.${name}`)),
    );
  });
});

describe('a secret that is written once', () => {
  const secrets = {
    key_secrets: [{ kid: 'k', purpose: 'issuer-signing', wrapped: 'first' }],
    subject_keys: [{ subject_id: newId(), wrapped: 'first' }],
  };

  // Fails without `write_once`: a node that lost a race would replace the secret of the winner.
  it.each(['key_secrets', 'subject_keys'] as const)(
    'raises the unique violation of its table: %s',
    async (table) => {
      await storeRows({ [table]: secrets[table] });

      await expect(storeRows({ [table]: secrets[table] })).rejects.toMatchObject({
        code: '23505',
        constraint: `${table}_pkey`,
      });
    },
  );

  // Fails when created_at is not declared local: the row of the service does not carry it.
  it('has the time of the database', async () => {
    await storeRows({ key_secrets: secrets.key_secrets });

    expect(await tableRows('key_secrets')).toMatchObject([{ created_at: expect.any(Date) }]);
  });
});

describe('the device tokens of a user', () => {
  // Fails when `followed_by` is not compiled: a user's list would grow with every forgotten token.
  it('are the newest ten of those that were never shown', async () => {
    const user_id = newId();
    const common = { user_id, secret_hash: 'hash', epoch: 0, created_at: now, used_at: null };
    const device_tokens = Array.from({ length: 12 }, () => ({ ...common, device_id: newId() }));

    await storeRows({ device_tokens });

    expect(await tableRows('device_tokens')).toHaveLength(10);
  });
});
