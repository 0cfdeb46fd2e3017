import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PgBouncer, startPgBouncer } from '../support/pgbouncer.ts';
import { createEmptyDatabase, type TestDatabase, withClient } from '../support/postgres.ts';
import { productionEnv, runLatchkey } from '../support/run-latchkey.ts';

describe('through a real PgBouncer', () => {
  let database: TestDatabase;
  let bouncer: PgBouncer;
  beforeEach(async () => {
    database = await createEmptyDatabase();
  });
  afterEach(async () => {
    await bouncer.stop();
    await database.drop();
  });

  // Fails when only the lock's own answer is looked at: it is taken in a session that nobody keeps.
  it('E11: in transaction mode migrate is refused each time and leaves no lock', async () => {
    bouncer = await startPgBouncer(database.ownerUrl, { preparedStatements: 100 });
    for (const _ of [1, 2]) {
      const run = await runLatchkey(['migrate'], { ...productionEnv, DATABASE_URL: bouncer.url });
      expect(run.code).toBe(1);
      expect(run.stderr).toMatch(/^DATABASE_DIRECT_URL must lead past the pooler/);
    }
    const locks = await withClient(database.ownerUrl, (client) =>
      client.query(`select 1 from pg_locks where locktype = 'advisory' and database =
        (select oid from pg_database where datname = current_database())`),
    );
    expect(locks.rows).toEqual([]);
    const env = { DATABASE_URL: bouncer.url, DATABASE_DIRECT_URL: database.ownerUrl };
    expect(await runLatchkey(['migrate'], { ...productionEnv, ...env })).toMatchObject({ code: 0 });
  });

  it('E11: in session mode it migrates', async () => {
    bouncer = await startPgBouncer(database.ownerUrl, { preparedStatements: 100, mode: 'session' });
    const env = { ...productionEnv, DATABASE_URL: bouncer.url };
    expect(await runLatchkey(['migrate'], env)).toMatchObject({ code: 0 });
  });
});
