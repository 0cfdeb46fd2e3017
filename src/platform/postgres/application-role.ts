import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

export interface ApplicationRoleOptions {
  readonly appRole: string;
  readonly appPassword?: string;
  readonly logger: { warn(fields: object, message: string): void };
}

/**
 * Start-up options would be the other way to set these, but PgBouncer refuses them. They win
 * over what the server, the database or the role as a whole was given. Each start checks what must
 * hold (`eventlog/session-settings.ts`). `default_transaction_read_only` is not
 * among them: an operator may close a database for a while.
 */
const roleSettings = {
  statement_timeout: '10s',
  lock_timeout: '2s',
  idle_in_transaction_session_timeout: '5s',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  search_path: 'pg_catalog, pg_temp',
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  row_security: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  exit_on_error: 'off',
  standard_conforming_strings: 'on',
  // A failed statement must not put addresses' MACs or password hashes into the server's log.
  log_parameter_max_length_on_error: '0',
} as const;

/** A list: quoted as a whole it would name one schema. */
const unquoted = ['search_path'];

const insufficientPrivilege = '42501';

/**
 * Sees to it that the application's role exists, may do what the application does and nothing else,
 * and cannot hang. Throws, with the statement to run, when the role is missing and the owner may
 * not create it.
 */
export async function ensureApplicationRole(
  client: pg.Client,
  options: ApplicationRoleOptions,
): Promise<void> {
  await whileRoleChanges(() => createRole(client, options));
  await client.query('select latchkey.grant_application($1)', [options.appRole]);
  await setRoleTimeouts(client, options);
}

/**
 * Sets the role's time limits in the client's database. They are not part of a database template.
 */
export async function setRoleTimeouts(
  client: pg.Client,
  options: ApplicationRoleOptions,
): Promise<void> {
  const { rows } = await client.query<{ name: string }>('select current_database() as name');
  const target = `role ${quote(client, options.appRole)} in database ${quote(client, rows[0]!.name)}`;
  const known = await client.query<{ name: string }>(
    'select name from pg_settings where name = any ($1)',
    [Object.keys(roleSettings)],
  );
  // An older server has not all of them.
  const statements = Object.entries(roleSettings)
    .filter(([name]) => known.rows.some((row) => row.name === name))
    .map(([name, value]) => {
      const text = unquoted.includes(name) ? value : `'${value}'`;
      return `alter ${target} set ${name} = ${text}`;
    });
  try {
    await whileRoleChanges(() => client.query(statements.join('; ')));
  } catch (error) {
    if ((error as pg.DatabaseError).code !== insufficientPrivilege) throw error;
    for (const statement of statements) {
      options.logger.warn({ statement }, 'not permitted; run this statement as a superuser');
    }
  }
}

async function createRole(client: pg.Client, options: ApplicationRoleOptions): Promise<void> {
  const role = quote(client, options.appRole);
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [
    options.appRole,
  ]);
  const withPassword =
    options.appPassword === undefined
      ? ''
      : ` password ${client.escapeLiteral(options.appPassword)}`;
  try {
    if (rowCount === 0) {
      await client.query(`create role ${role} login${withPassword}`);
      if (withPassword === '') warnOfNoPassword(options);
    } else if (withPassword !== '') await client.query(`alter role ${role} login${withPassword}`);
  } catch (error) {
    if ((error as pg.DatabaseError).code !== insufficientPrivilege) throw error;
    const verb = rowCount === 0 ? 'create' : 'set the password of';
    throw new Error(
      `The owner may not ${verb} the role ${options.appRole}; as a superuser run: ` +
        `${rowCount === 0 ? 'create' : 'alter'} role ${role} login password '…'`,
      { cause: error },
    );
  }
}

function warnOfNoPassword({ appRole, logger }: ApplicationRoleOptions): void {
  logger.warn(
    { role: appRole },
    'DATABASE_APP_PASSWORD is not set: the role was made without a password and can log in only where Postgres asks for none. Set it and run `latchkey migrate` again.',
  );
}

/**
 * Roles belong to the whole cluster: a migration of another database there may touch the same row.
 */
async function whileRoleChanges(work: () => Promise<unknown>): Promise<void> {
  const concurrently = ['42710', '23505', 'XX000'];
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      const { code } = error as pg.DatabaseError;
      if (attempt === 10 || code === undefined || !concurrently.includes(code)) throw error;
      await delay(20 * attempt);
    }
  }
}

function quote(client: pg.Client, identifier: string): string {
  return client.escapeIdentifier(identifier);
}
