import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isConnectionError, sqlState } from '../../../src/platform/postgres/errors.ts';
import { createPools, type Pools } from '../../../src/platform/postgres/pool.ts';
import { safeInteger } from '../../../src/platform/postgres/safe-integer.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../../support/postgres.ts';
import { withinOwnTime } from '../../support/process-clock.ts';

let database: TestDatabase;
let pools: Pools;
const idleErrors: unknown[] = [];

function open(url: string, readers = 2): Pools {
  const logger = { warn: (fields: object) => void idleErrors.push(fields) };
  return createPools({ databaseUrl: url, readers, applicationName: 'test', logger });
}

/** How long it took to be refused, and with what. */
async function refusal(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const startedAt = performance.now();
  const error = await work.then(
    () => undefined,
    (reason) => reason,
  );
  return { error, ms: performance.now() - startedAt };
}

const unavailable = { code: 'unavailable', retryAfterSeconds: 1 };

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
afterEach(() => pools?.end());

describe('int8', () => {
  test('arrives as a number', async () => {
    pools = open(database.appUrl);
    const { rows } = await pools.readers.query('select 9007199254740991::int8 as n');
    expect(rows).toEqual([{ n: Number.MAX_SAFE_INTEGER }]);
  });

  test('beyond the safe integers it is an error, not a rounded value', async () => {
    pools = open(database.appUrl);
    const query = pools.readers.query('select 9007199254740993::int8 as n');
    await expect(query).rejects.toThrow('9007199254740993 is not a safe integer');
    expect(() => safeInteger('-9007199254740993')).toThrow(RangeError);
  });
});

describe('given every connection is in use', () => {
  test('a caller is told after one second', async () => {
    pools = open(database.appUrl, 1);
    const { promise, resolve: release } = Promise.withResolvers<void>();
    const holding = pools.readers.use(() => promise);
    const { error, ms } = await withinOwnTime(1500, refusal(pools.readers.query('select 1')));
    release();
    await holding;
    expect(error).toMatchObject(unavailable);
    expect(ms).toBeGreaterThan(900);
  });

  test('writers and readers do not wait for each other', async () => {
    pools = open(database.appUrl, 1);
    const { promise, resolve: release } = Promise.withResolvers<void>();
    const holding = pools.readers.use(() => promise);
    await pools.writers.query('select 1');
    release();
    await holding;
  });
});

describe('transactions', () => {
  test('are rolled back when the work throws, with its error', async () => {
    pools = open(database.ownerUrl);
    await pools.writers.query('create table kept (n int)');
    const failing = pools.writers.transaction(async (client) => {
      await client.query('insert into kept values (1)');
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect((await pools.readers.query('select * from kept')).rows).toEqual([]);
  });

  test('one that the work leaves open ends with the use', async () => {
    pools = open(database.ownerUrl);
    await pools.writers.use((client) => client.query('begin'));
    const { rows } = await pools.readers.query(
      `select state from pg_stat_activity
       where application_name = 'test writer' and state like 'idle in transaction%'`,
    );
    expect(rows).toEqual([]);
  });
});

describe('errors', () => {
  test('of a statement come out as they are', async () => {
    pools = open(database.appUrl);
    const { error } = await refusal(pools.readers.query('select 1/0'));
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(sqlState(error)).toBe('22012');
    expect(isConnectionError(error)).toBe(false);
  });

  test('of the connection are `unavailable`, and the next use works', async () => {
    pools = open(database.appUrl);
    const { error } = await refusal(
      pools.readers.use(async (client) => {
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
        await terminate(rows[0]!.pid);
        await client.query('select 1');
      }),
    );
    expect(error).toMatchObject(unavailable);
    await pools.readers.query('select 1');
  });

  test('of an idle connection are logged and harmless', async () => {
    pools = open(database.appUrl, 1);
    const { rows } = await pools.readers.query<{ pid: number }>('select pg_backend_pid() as pid');
    idleErrors.length = 0;
    await terminate(rows[0]!.pid);
    await expect.poll(() => idleErrors.length).toBe(1);
    await pools.readers.query('select 1');
  });

  test('a server that is not there is `unavailable`', async () => {
    pools = open('postgres://nobody:x@127.0.0.1:1/none');
    const { error } = await refusal(pools.readers.query('select 1'));
    expect(error).toMatchObject(unavailable);
  });
});

describe('a statement that hangs', () => {
  test('is cut at the deadline of its use, which is under two seconds', async () => {
    pools = open(database.appUrl, 1);
    const hanging = refusal(pools.readers.query('select pg_sleep(8)'));
    expect((await withinOwnTime(2000, hanging)).error).toMatchObject(unavailable);
    await pools.readers.query('select 1');
  });
});

describe('a dedicated connection', () => {
  test('comes back after a loss, and its generation says so', async () => {
    pools = open(database.appUrl);
    const tail = pools.dedicated('test tail');
    const { rows } = await tail.query<{ pid: number }>('select pg_backend_pid() as pid');
    expect(tail.generation).toBe(1);
    await terminate(rows[0]!.pid);
    const { error } = await refusal(tail.query('select 1'));
    if (error !== undefined) expect(error).toMatchObject(unavailable);
    await tail.query('select 1');
    expect(tail.generation).toBe(2);
    await tail.close();
    await expect(tail.query('select 1')).rejects.toMatchObject(unavailable);
  });

  test('is not left hanging by a statement that does', async () => {
    pools = open(database.appUrl);
    const tail = pools.dedicated('test tail');
    const hanging = tail.use((client) => client.query('select pg_sleep(8)'), { timeoutMs: 100 });
    await expect(hanging).rejects.toMatchObject(unavailable);
    await tail.query('select 1');
    await tail.close();
  });

  // Fails when a deadline that passes while it connects is forgotten: the statement then has none.
  test('counts the time that it takes to connect', async () => {
    pools = open(database.appUrl);
    const tail = pools.dedicated('test tail');
    const hanging = tail.use((client) => client.query('select pg_sleep(3)'), { timeoutMs: 0 });
    await expect(hanging).rejects.toMatchObject(unavailable);
    await tail.query('select 1');
    await tail.close();
  });
});

test('the application role cannot hang or change the log', async () => {
  await withClient(database.appUrl, async (client) => {
    const settings = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
    const { rows } = await client.query(
      'select name, setting from pg_settings where name = any($1) order by name',
      [settings],
    );
    expect(rows.map(({ setting }) => setting)).toEqual(['5000', '2000', '10000']);
    for (const statement of ['delete from latchkey.events', 'truncate latchkey.events']) {
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    }
  });
});

async function terminate(pid: number): Promise<void> {
  await withClient(database.ownerUrl, (client) =>
    client.query('select pg_terminate_backend($1, 5000)', [pid]),
  );
}
