import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { startApi } from '../../src/api/serve.ts';
import { loadConfig } from '../../src/node/config.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';

let api: TestApi | undefined;
afterEach(async () => {
  await api?.stop();
  api = undefined;
});

/** What a database administrator may give to a database, each in its most inconvenient value. */
const inconvenient = {
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  statement_timeout: '1ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  idle_session_timeout: '1ms',
  search_path: 'nowhere',
  TimeZone: 'Pacific/Apia',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  row_security: 'off',
  array_nulls: 'off',
  transform_null_equals: 'on',
  exit_on_error: 'on',
  standard_conforming_strings: 'off',
  client_encoding: 'LATIN1',
  extra_float_digits: '-15',
  quote_all_identifiers: 'on',
  jit_above_cost: '0',
  enable_partition_pruning: 'off',
};

describe('settings that the database was given', () => {
  // Fails when one of them reaches a session of the service.
  it('F1: change no answer: all of them at once', async () => {
    const database = await createTestDatabase();
    await withClient(database.ownerUrl, async (client) => {
      const statements = Object.entries(inconvenient).map(
        ([name, value]) => `alter database ${database.name} set ${name} = '${value}'`,
      );
      await client.query(statements.join(';'));
    });
    api = await startTestApi({}, database);
    const { email } = await api.register('zoë@example.com');
    const devices = ['web', 'mobile', 'tablet', 'desktop'];
    const logins = await Promise.all(devices.map((device) => api!.logIn({ email, device })));
    for (const login of logins) {
      expect(await api.verify(login.access_token)).toBe(204);
      const renewed = await api.refresh(login.refresh_token);
      expect(renewed.status).toBe(200);
      const { refresh_token } = renewed.body;
      const out = await api.call('POST', '/auth/logout', { body: { refresh_token } });
      expect(out.status).toBe(204);
      expect(await api.verify(renewed.body.access_token)).toBe(401);
    }
    const token = (await api.admin()).access_token;
    const users = await api.call('GET', '/admin/users', { token });
    expect(users.body.items ?? users.body.users).toHaveLength(2);
    expect((await api.call('GET', '/readyz')).body.failing ?? []).toEqual([]);
  });
});

describe('start-up refuses, with the statement that mends it', () => {
  const refusal = async (setting: string) => {
    const database = await createTestDatabase();
    const role = `alter role latchkey_app in database ${database.name}`;
    try {
      await withClient(database.ownerUrl, (client) => client.query(`${role} ${setting}`));
      const config = loadConfig({
        PORT: '0',
        METRICS_PORT: '0',
        KEK: `test:${randomBytes(32).toString('base64url')}`,
        KEY_ALGORITHM: 'ES256',
      });
      const log = pino({ level: 'silent' });
      const started = startApi({ config, databaseUrl: database.appUrl, log });
      return await started.then(
        async (node) => {
          await node.stop();
          return 'started';
        },
        (error: Error) => error.message,
      );
    } finally {
      await database.drop();
    }
  };

  it.each([
    ["set default_transaction_isolation = 'serializable'", 'default_transaction_isolation'],
    ['set default_transaction_read_only = on', 'default_transaction_read_only is on'],
    ["set datestyle = 'SQL'", 'DateStyle is SQL'],
    ['set exit_on_error = on', 'exit_on_error is on'],
  ])('F1: %s', async (setting, message) => {
    const said = await refusal(setting);
    expect(said).toContain(message);
    expect(said).toContain('latchkey migrate');
  });

  it('F16: a role without its settings, as pg_restore leaves it', async () => {
    const said = await refusal('reset all');
    expect(said).toContain('statement_timeout is 0 ms');
    expect(said).toContain('latchkey migrate');
  });
});
