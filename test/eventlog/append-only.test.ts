import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { commandOf, startSession, touch } from '../support/session-commands.ts';

let log: TestLog;
let application: pg.Client;
let tables: string[];

beforeAll(async () => {
  log = await openTestLog();
  application = new pg.Client({ connectionString: log.database.appUrl });
  await application.connect();
  await log.writer.append(commandOf([touch(newId(), 'none'), ...startSession().command.streams]));
  // More partitions than the migration made, with a row in one that was attached later.
  await application.query('select latchkey.ensure_session_partitions(6, 1000)');
  await log.owner.query("select setval('latchkey.event_pos', 60000500)");
  await log.writer.append(commandOf(startSession().command.streams));
  const { rows } = await log.owner.query(
    `select 'latchkey.' || c.relname as name
     from pg_partition_tree('latchkey.events') p join pg_class c on c.oid = p.relid order by 1`,
  );
  tables = rows.map(({ name }) => name as string);
});
afterAll(async () => {
  await application.end();
  await log.close();
});

const insert = (table: string) => `insert into ${table}
  (pos, kind, stream_id, version, type, schema_v, data, meta, recorded_at)
  select 60000700, 2, gen_random_uuid(), 1, 'SessionExpired', 1, '{}', '{}', now()`;

test('the partitions under attack include one that was attached later and has a row', async () => {
  expect(tables.length).toBeGreaterThanOrEqual(11);
  const { rows } = await log.owner.query(
    `select c.relname as name
     from latchkey.events e join pg_class c on c.oid = e.tableoid where e.pos > 60000000`,
  );
  expect(rows[0].name).toBe('events_session_000060000000');
});

describe('the owner', () => {
  test('cannot update or delete a row, on the parent or on a partition', async () => {
    let refusals = 0;
    for (const table of tables) {
      const { rows } = await log.owner.query(`select count(*)::int as n from ${table}`);
      if (rows[0].n === 0) continue;
      for (const statement of [`update ${table} set version = 9`, `delete from ${table}`]) {
        await expect(log.owner.query(statement), statement).rejects.toMatchObject({
          code: 'LK001',
        });
        refusals += 1;
      }
    }
    expect(refusals).toBeGreaterThanOrEqual(10);
  });

  test('cannot truncate any of them', async () => {
    for (const table of tables) {
      const refused = log.owner.query(`truncate ${table}`);
      await expect(refused, table).rejects.toMatchObject({ code: 'LK001' });
    }
    await expect(log.owner.query('truncate latchkey.streams, latchkey.events')).rejects.toThrow();
  });

  test('cannot move a row to another partition', async () => {
    const moved = log.owner.query('update latchkey.events set kind = 1 where kind = 2');
    await expect(moved).rejects.toMatchObject({ code: 'LK001' });
  });
});

describe('the application role', () => {
  test('has no right to update, delete or truncate events, or to touch a partition directly', async () => {
    for (const table of tables) {
      const direct = table === 'latchkey.events' ? [] : [insert(table)];
      const statements = [
        `update ${table} set version = 9`,
        `delete from ${table}`,
        `truncate ${table}`,
        ...direct,
      ];
      for (const statement of statements) {
        await expect(application.query(statement), statement).rejects.toMatchObject({
          code: '42501',
        });
      }
    }
  });

  test('cannot take away a stream, rewrite the epoch, or switch the triggers off', async () => {
    for (const statement of [
      'delete from latchkey.streams',
      'truncate latchkey.streams',
      'update latchkey.log_meta set log_epoch = gen_random_uuid()',
      "select setval('latchkey.event_pos', 1)",
      'alter table latchkey.events disable trigger all',
      'drop table latchkey.events_session',
      'create table latchkey.mine (x integer)',
      "set session_replication_role = 'replica'",
    ]) {
      await expect(application.query(statement), statement).rejects.toMatchObject({
        code: '42501',
      });
    }
  });
});

describe('the fence lock', () => {
  const held = async (client: pg.Client) => {
    const { rows } = await client.query(
      `select mode from pg_locks where locktype = 'advisory' and classid = 1279350347
         and objid = 1 and pid = pg_backend_pid()`,
    );
    return rows.map(({ mode }) => mode);
  };

  test('is taken by an INSERT into the parent and into every session partition directly', async () => {
    const leaf = 'latchkey.events_session_000060000000';
    for (const table of ['latchkey.events', 'latchkey.events_session', leaf]) {
      await log.owner.query('begin');
      expect(await held(log.owner)).toEqual([]);
      await log.owner.query(insert(table));
      expect(await held(log.owner), table).toEqual(['ShareLock']);
      await log.owner.query('rollback');
    }
  });

  test('is taken before the default draws a position', async () => {
    await log.owner.query('begin');
    await log.owner.query(`create function pg_temp.fenced() returns bigint language sql volatile as $$
      select count(*) from pg_locks where locktype = 'advisory' and classid = 1279350347
        and objid = 1 and pid = pg_backend_pid() $$`);
    const { rows } = await log.owner.query(`insert into latchkey.events
      (pos, kind, stream_id, version, type, schema_v, data, meta, recorded_at)
      select 60000700 + pg_temp.fenced(), 2, gen_random_uuid(), 1, 'SessionExpired', 1, '{}', '{}',
        now() returning pos::int`);
    await log.owner.query('rollback');
    expect(rows).toEqual([{ pos: 60000701 }]);
  });
});

test('a partition that is attached later has every trigger of one made by the migration', async () => {
  const { rows } = await log.owner.query(
    `select relid::text as name, array_agg(t.tgname::text order by t.tgname) as triggers
     from pg_partition_tree('latchkey.events') p join pg_trigger t on t.tgrelid = p.relid group by 1`,
  );
  expect(rows.length).toBe(tables.length);
  for (const { name, triggers } of rows) {
    expect(triggers, name).toEqual(['hold_fence', 'refuse_change', 'refuse_truncate']);
  }
});

test('partitions are made ahead of the head, and making them twice makes none', async () => {
  const count = async () => {
    const { rows } = await application.query(
      'select latchkey.ensure_session_partitions(4, 1000) as n',
    );
    return rows[0].n;
  };
  const first = await count();
  expect(first).toBeGreaterThanOrEqual(4);
  expect(await count()).toBe(first);
});
