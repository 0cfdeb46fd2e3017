import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;

beforeEach(async () => {
  api = await startTestApi();
});
afterEach(() => api.stop());

const patience = { timeout: 15_000, interval: 100 };
const failing = async () => (await api.call('GET', '/readyz')).body.failing ?? [];
const owner = (...statements: string[]) =>
  withClient(api.database.ownerUrl, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
const register = async () => {
  const body = { email: anEmail(), password: testPassword };
  return (await api.call('POST', '/auth/register', { body })).status;
};

/** Runs `work` while this statement's transaction stays open. */
async function whileOpen(statement: string, work: () => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: api.database.ownerUrl });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(statement);
    await work();
  } finally {
    await client.end();
  }
}

describe('/readyz', () => {
  // Fails when readiness only reads.
  it.each(['streams', 'sessions', 'events_user', 'revocations'])(
    'F10: is 503 while latchkey.%s is locked',
    async (table) => {
      expect(await failing()).toEqual([]);
      await whileOpen(`lock table latchkey.${table} in access exclusive mode`, async () => {
        await expect.poll(failing, patience).toContain('append');
      });
      await expect.poll(failing, patience).toEqual([]);
    },
  );

  it('F10: is 503 while a migration waits for a reader, and appends for it', async () => {
    const migration = new pg.Client({ connectionString: api.database.ownerUrl });
    await migration.connect();
    let locked: Promise<unknown> | undefined;
    await whileOpen('select count(*) from latchkey.events', async () => {
      locked = migration.query('begin; lock table latchkey.events');
      await expect.poll(failing, patience).toContain('append');
    });
    await locked;
    await migration.end();
    await expect.poll(failing, patience).toEqual([]);
  });

  // The trigger says what Postgres says when it cannot extend a file.
  it('F10: is 503 while the disk is full, once an append has met that', async () => {
    await owner(
      `create function public.disk_full() returns trigger language plpgsql as $$
        begin raise exception 'No space left on device' using errcode = '53100'; end $$`,
      `create trigger disk_full before insert on latchkey.events
        for each row execute function public.disk_full()`,
    );
    expect(await register()).toBe(503);
    await expect.poll(failing, patience).toContain('append');
    await owner('drop trigger disk_full on latchkey.events');
    await expect.poll(failing, patience).toEqual([]);
    expect(await register()).toBe(201);
  });

  it('F19: is 503 when durability was weakened after the start', async () => {
    await owner(
      `alter role latchkey_app in database ${api.database.name} set synchronous_commit = 'local'`,
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`,
    );
    await expect.poll(failing, patience).toEqual(['durability']);
  });
});
