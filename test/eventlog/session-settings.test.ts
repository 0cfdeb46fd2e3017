import { randomBytes } from 'node:crypto';
import { expect, inject, it } from 'vitest';
import { sessionProblems } from '../../src/eventlog/session-settings.ts';
import { checkDatabase } from '../../src/eventlog/start-up-checks.ts';
import { createPools } from '../../src/platform/postgres/pool.ts';
import { silentLogger } from '../support/cluster.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';

it('F19: a database in LATIN1 is refused', async () => {
  const { ownerUrl } = inject('cluster');
  const name = `latin1_${randomBytes(4).toString('hex')}`;
  await withClient(ownerUrl, (client) =>
    client.query(`create database ${name} template template0 encoding 'LATIN1'
      locale_provider libc locale 'C'`),
  );
  try {
    const url = new URL(ownerUrl);
    url.pathname = `/${name}`;
    const problems = await withClient(url.href, (client) => sessionProblems(client, false));
    expect(problems).toEqual(['The database is encoded in LATIN1: create it with encoding UTF8.']);
  } finally {
    await withClient(ownerUrl, (client) => client.query(`drop database ${name}`));
  }
});

it('F19: a limit of the database counts when the room for connections is checked', async () => {
  const database = await createTestDatabase();
  await withClient(database.ownerUrl, (client) =>
    client.query(`alter database ${database.name} connection limit 5`),
  );
  const check = withClient(database.appUrl, (client) => checkDatabase(client, { connections: 9 }));
  await expect(check).rejects.toThrow('the connection limit of the database leaves room for');
  await database.drop();
});

it('F19: a password that was changed is an outage, not an internal error', async () => {
  const url = new URL(inject('cluster').ownerUrl);
  url.password = 'another';
  const pools = createPools({
    databaseUrl: url.href,
    readers: 1,
    applicationName: 'test',
    logger: silentLogger,
  });
  await expect(pools.readers.query('select 1')).rejects.toMatchObject({ code: 'unavailable' });
  await expect(pools.dedicated('test').query('select 1')).rejects.toMatchObject({
    code: 'unavailable',
  });
  await pools.end();
});
