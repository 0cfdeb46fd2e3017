import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../../src/platform/postgres/migrate.ts';
import { streams } from '../../../src/tables/streams.ts';
import { installJobSchema, jobSchemaName, jobTables } from '../../../src/worker/job-schema.ts';
import { migrationsDirectory, silentLogger } from '../../support/cluster.ts';
import { createEmptyDatabase, type TestDatabase, withClient } from '../../support/postgres.ts';
import { readText } from '../../support/source-files.ts';

const appRole = 'latchkey_app';
let database: TestDatabase;
beforeEach(async () => {
  database = await createEmptyDatabase();
  await migrateAll();
});
afterEach(() => database.drop());

async function migrateAll(): Promise<void> {
  await migrate({
    ownerUrl: database.ownerUrl,
    appRole,
    directory: migrationsDirectory,
    logger: silentLogger,
    afterMigrations: [(client) => installJobSchema(client, appRole)],
  });
}
const asOwner = <T>(work: (client: pg.Client) => Promise<T>) => withClient(database.ownerUrl, work);
const asApplication = (statement: string) =>
  withClient(database.appUrl, (client) => client.query(statement));
const isSuperuser = () =>
  asOwner(async (client) => {
    const { rows } = await client.query('select rolsuper from pg_roles where rolname = $1', [
      appRole,
    ]);
    return rows[0].rolsuper as boolean;
  });
const command = `insert into ${jobSchemaName}.bam (name, version, status, table_name, command)
  values ('x', 27, 'pending', 'job_common', 'alter role ${appRole} superuser')`;

const insertOnly = ['events', 'log_doubts'];
const insertAndUpdate = ['streams'];
const everything = [
  ...Object.values(streams).map(({ table }) => table.name),
  'access_token_lifetimes',
  'checkpoints',
  'credentials',
  'device_tokens',
  'dpop_proofs',
  'key_secrets',
  'password_hashes',
  'projection_watermarks',
  'rate_limits',
  'revocations',
  'session_key_secrets',
  'subject_keys',
  'usernames',
  'totp_secrets',
];

describe('A2: the application role', () => {
  // The table of a noun is granted by its registration. Any other is granted nothing until somebody
  // names it, and this list names it too.
  it('A2: may write to these tables and to no other', async () => {
    const { rows } = await asOwner((client) =>
      client.query(
        `select n.nspname || '.' || c.relname as table, concat_ws(' ',
            case when has_table_privilege($1, c.oid, 'insert') then 'insert' end,
            case when has_any_column_privilege($1, c.oid, 'update') then 'update' end,
            case when has_table_privilege($1, c.oid, 'delete, truncate, trigger')
              then 'delete' end) as rights
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'v', 'm', 'f')
            and n.nspname not in ('pg_catalog', 'information_schema')
            and (has_table_privilege($1, c.oid, 'insert, update, delete, truncate, trigger')
              or has_any_column_privilege($1, c.oid, 'insert, update'))`,
        [appRole],
      ),
    );
    const expected = [
      ...insertOnly.map((table) => [`latchkey.${table}`, 'insert']),
      ...insertAndUpdate.map((table) => [`latchkey.${table}`, 'insert update']),
      ...everything.map((table) => [`latchkey.${table}`, 'insert update delete']),
      ...jobTables.map((table) => [`${jobSchemaName}.${table}`, 'insert update delete']),
      [`${jobSchemaName}.version`, 'update'],
    ];
    expect(rows.map(({ table, rights }) => [table, rights]).toSorted()).toEqual(
      expected.toSorted(),
    );
  });

  it('A2: may create nothing in any schema, and owns nothing', async () => {
    const { rows } = await asOwner((client) =>
      client.query(
        `select nspname as name from pg_namespace where has_schema_privilege($1, oid, 'create')
          union all select relname from pg_class where relowner = $1::regrole
          union all select proname from pg_proc where proowner = $1::regrole`,
        [appRole],
      ),
    );
    expect(rows).toEqual([]);
  });

  it('A2: runs two functions with the rights of their owner, on a fixed search path', async () => {
    const { rows } = await asOwner((client) =>
      client.query(
        `select proname, proconfig from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
            and has_function_privilege($1, p.oid, 'execute') order by proname`,
        [appRole],
      ),
    );
    expect(rows.map(({ proname }) => proname)).toEqual([
      'ensure_session_partitions',
      'probe_append',
    ]);
    for (const { proconfig } of rows) {
      expect(proconfig).toContain('search_path=pg_catalog, pg_temp');
    }
  });

  // Fails without the `revoke` in the migration: execution is everybody's by default.
  it('A2: may not compile projections, nor register a table', async () => {
    const { rows } = await asOwner((client) =>
      client.query(
        `select has_function_privilege($1, 'latchkey.compile_projections()', 'execute') as compiles,
          has_any_column_privilege($1, 'latchkey.projected_tables', 'insert, update') as registers`,
        [appRole],
      ),
    );
    expect(rows).toEqual([{ compiles: false, registers: false }]);
  });

  it('A2: leaves no statement for the owner to run, and no version to migrate from', async () => {
    await expect(asApplication(command)).rejects.toMatchObject({ code: '42501' });
    await expect(asApplication(`select from ${jobSchemaName}.bam`)).rejects.toMatchObject({
      code: '42501',
    });
    await expect(
      asApplication(`update ${jobSchemaName}.version set version = 1`),
    ).rejects.toMatchObject({ code: '42501' });
  });
});

describe('A2: migrate', () => {
  it('A2: needs no superuser: an owner as compose-roles.sh makes it is enough', async () => {
    const script = readText('compose-roles.sh');
    expect(script).toContain('create role latchkey login createrole password');
    const [owner, app] = [`owner_${database.name}`, `app_${database.name}`];
    const other = await createEmptyDatabase();
    const client = new URL(other.ownerUrl);
    await withClient(other.ownerUrl, async (superuser) => {
      await superuser.query(`create role ${owner} login createrole password 'an owner'`);
      await superuser.query(`alter database ${other.name} owner to ${owner}`);
    });
    client.username = owner;
    client.password = 'an owner';
    const warnings: string[] = [];
    await migrate({
      ownerUrl: client.href,
      appRole: app,
      appPassword: 'an application',
      directory: migrationsDirectory,
      logger: { ...silentLogger, warn: (_fields, message) => void warnings.push(message) },
      afterMigrations: [(connection) => installJobSchema(connection, app)],
    });
    expect(warnings).toEqual([]);
    client.username = app;
    client.password = 'an application';
    await withClient(client.href, (application) =>
      application.query('select from latchkey.events'),
    );
    await other.drop();
    await asOwner((superuser) => superuser.query(`drop role ${app}; drop role ${owner}`));
  });

  // Fails without `refuseForeignRows`: the role is a superuser afterwards.
  it('A2: refuses statements from before the rights were named, and runs none', async () => {
    await asOwner((client) =>
      client.query(`grant insert, update on ${jobSchemaName}.bam to ${appRole}`),
    );
    await asApplication(command);
    await expect(migrateAll()).rejects.toThrow(/bam holds 1 rows that Latchkey did not write/);
    expect(await isSuperuser()).toBe(false);
    await asOwner((client) =>
      client.query(`delete from ${jobSchemaName}.bam where status <> 'completed'`),
    );
    await migrateAll();
    await expect(asApplication(command)).rejects.toMatchObject({ code: '42501' });
  });

  it('A2: refuses a queue whose table would become part of a statement', async () => {
    await asApplication(`insert into ${jobSchemaName}.queue (name, policy, retry_limit, retry_delay,
        retry_backoff, expire_seconds, retention_seconds, deletion_seconds, partition, table_name)
      values ('x', 'standard', 1, 1, false, 1, 1, 1, true,
        'job_common; alter role ${appRole} superuser')`);
    await expect(migrateAll()).rejects.toThrow(/queue holds 1 rows/);
    expect(await isSuperuser()).toBe(false);
  });
});
