import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Api, startApi } from '../../src/api/serve.ts';
import { loadConfig } from '../../src/node/config.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { silentLogger } from '../support/cluster.ts';
import { faultKek, faultPassword, until } from '../support/fault-node.ts';
import {
  createTestDatabase,
  startPrivatePostgres,
  type TestDatabase,
  withClient,
} from '../support/postgres.ts';
import { filesBelow, readText } from '../support/source-files.ts';

const settings = ['fsync', 'full_page_writes', 'synchronous_commit'];
/** A durability setting and, close behind it and not compared with it, a value that weakens it; quotes and separators of any language between. */
const weakened = new RegExp(
  `(?:${settings.join('|')})(?!\\s*[=!]==)\\W{0,6}(?:\\bto\\W{1,3})?(?:off|false|local|no|0)\\b`,
  'i',
);
/** Those that prove that a weakened database is refused, or mended, this file among them. */
const provesRefusal = [
  'test/node/readiness.test.ts',
  'test/eventlog/durable-commits.test.ts',
  'test/eventlog/start-up-checks.test.ts',
  'test/fault/durability.test.ts',
  'test/processes/embedded-postgres.test.ts',
];

const config = {
  PORT: '0',
  METRICS_PORT: '0',
  ISSUER: 'http://latchkey.test',
  KEK: faultKek,
  KEY_ALGORITHM: 'ES256',
  PASSWORD_HASH_MEMORY_KIB: '8',
  LOGIN_FLOOR_MS: '5',
  RATE_LIMITS: 'off',
  LEASE_SECONDS: '1',
};

function start(databaseUrl: string): Promise<Api> {
  return startApi({
    config: loadConfig(config),
    databaseUrl,
    log: pino({ level: 'silent' }),
  });
}

async function refusal(databaseUrl: string): Promise<{ name: string; message: string }> {
  const started = await start(databaseUrl).catch((error: Error) => error);
  if (started instanceof Error) return { name: started.name, message: started.message };
  await started.stop();
  return { name: 'started', message: '' };
}

describe('no default, test or bench weakens durability', () => {
  const files = filesBelow('.').filter((file) =>
    /\.(?:ts|js|mjs|sh|sql|json|ya?ml|conf)$|Dockerfile$|\.ci\/|\.env/.test(file),
  );

  it('by a setting in any file of the repository', () => {
    const found = files.filter((file) => {
      const name = file.replace(/^\.\//, '');
      return !provesRefusal.includes(name) && weakened.test(readText(file));
    });
    expect(found).toEqual([]);
    expect(files.length).toBeGreaterThan(200);
  });

  it.each([
    '-c fsync=off',
    'synchronous_commit = off',
    "synchronous_commit: 'off'",
    'set synchronous_commit to local',
    'alter system set full_page_writes = 0',
    "fsync: 'no'",
  ])('and would be found as %s', (text) => {
    expect(text).toMatch(weakened);
  });

  it('in the Postgres that the tests run on', async () => {
    const { ownerUrl } = inject('cluster');
    const { rows } = await withClient(ownerUrl, (client) =>
      client.query('select name, setting, source from pg_settings where name = any ($1)', [
        settings,
      ]),
    );
    expect(rows.map(({ setting, source }) => [setting, source])).toEqual(
      settings.map(() => ['on', 'default']),
    );
  });

  it.each(settings)('through the settings option of the embedded Postgres: %s', async (name) => {
    const options = { dataDir: '/nowhere', logger: silentLogger, settings: { [name]: 'off' } };
    await expect(startEmbeddedPostgres(options)).rejects.toThrow('not ours to change');
  });
});

describe('start-up refuses', () => {
  let database: TestDatabase;
  const owner = (sql: string) => withClient(database.ownerUrl, (client) => client.query(sql));

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.drop());

  it('nothing of a sound database', async () => {
    expect(await refusal(database.appUrl)).toEqual({ name: 'started', message: '' });
  });

  it('a database with synchronous_commit off', async () => {
    await owner(`alter database ${database.name} set synchronous_commit = off`);
    const { name, message } = await refusal(database.appUrl);
    expect(name).toBe('UnsafeDatabaseError');
    expect(message).toContain('synchronous_commit is off');
  });

  it('a role with synchronous_commit off', async () => {
    await owner(
      `alter role latchkey_app in database ${database.name} set synchronous_commit = off`,
    );
    expect((await refusal(database.appUrl)).message).toContain('synchronous_commit is off');
  });

  it('a sequence that caches', async () => {
    await owner('alter sequence latchkey.event_pos cache 2');
    expect((await refusal(database.appUrl)).message).toContain('CACHE 1');
  });

  it('a sequence behind the log', async () => {
    expect((await refusal(database.appUrl)).name).toBe('started');
    await owner("select setval('latchkey.event_pos', 1)");
    expect((await refusal(database.appUrl)).message).toContain('is behind the log');
  });

  it('a sequence behind a checkpoint', async () => {
    await owner(`insert into latchkey.checkpoints
      select 'sealer', log_id, log_epoch, 1000000, clock_timestamp() from latchkey.log_meta`);
    expect((await refusal(database.appUrl)).message).toContain('a checkpoint (1000000)');
  });

  it('a restored copy', async () => {
    await owner('update latchkey.log_meta set system_identifier = system_identifier + 1');
    const { name, message } = await refusal(database.appUrl);
    expect(name).toBe('LogIdentityError');
    expect(message).toContain('it is a copy');
  });

  it('every weakened setting of a cluster at once', async () => {
    const postgres = await startPrivatePostgres();
    try {
      await withClient(postgres.ownerUrl, async (client) => {
        await client.query('alter system set fsync = off');
        await client.query('alter system set full_page_writes = off');
        await client.query('select pg_reload_conf()');
      });
      await until(async () => (await refusal(postgres.appUrl)).name !== 'started', 5_000);
      const { name, message } = await refusal(postgres.appUrl);
      expect(name).toBe('UnsafeDatabaseError');
      expect(message).toMatch(/fsync is off.*\nfull_page_writes is off/);
    } finally {
      await postgres.remove();
    }
  });
});

describe('a running node', () => {
  it('is not ready, and verifies nothing, when the log has lost what the node has seen', async () => {
    const database = await createTestDatabase();
    const api = await start(database.appUrl);
    try {
      const url = `http://127.0.0.1:${api.port}`;
      const post = (path: string, body: object) =>
        fetch(url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      const credentials = { email: 'ada@example.com', password: faultPassword };
      await post('/auth/register', credentials);
      const ended = (await (await post('/auth/login', credentials)).json()) as Tokens;
      await post('/auth/logout', { refresh_token: ended.refresh_token });
      const { access_token } = (await (await post('/auth/login', credentials)).json()) as Tokens;
      const verify = async () =>
        (
          await fetch(`${url}/auth/verify`, {
            headers: { authorization: `Bearer ${access_token}` },
          })
        ).status;
      expect(await verify()).toBe(204);
      // Once the poll has moved its cursor over the logout, positions are lost as in a failover.
      await until(async () => (await fetch(`${url}/readyz`)).status === 200, 2_000);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await withClient(database.ownerUrl, async (client) => {
        await client.query("select setval('latchkey.event_pos', 1)");
        await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`);
      });
      await until(async () => (await verify()) === 503, 4_000);
      const readiness = await fetch(`${url}/readyz`);
      expect(readiness.status).toBe(503);
      expect(((await readiness.json()) as { failing: string[] }).failing).toContain(
        'revocation_lease',
      );
      expect((await fetch(`${url}/readyz/verify`)).status).toBe(503);
    } finally {
      await api.stop();
      await database.drop();
    }
  });
});

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}
