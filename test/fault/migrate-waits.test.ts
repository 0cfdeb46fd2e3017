import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/platform/postgres/migrate.ts';
import { type BlackHoleProxy, openBlackHoleProxy } from '../support/black-hole-proxy.ts';
import { migrationsDirectory, silentLogger } from '../support/cluster.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let network: BlackHoleProxy;
let warnings: string[];

beforeEach(async () => {
  database = await createEmptyDatabase();
  network = await openBlackHoleProxy(database.ownerUrl);
  warnings = [];
});
afterEach(async () => {
  await network.close();
  await database.drop();
});

function run(urls: { ownerUrl: string; sameAs?: string }, answerWaitMs?: number) {
  return migrate({
    ...urls,
    appRole: 'latchkey_app',
    directory: migrationsDirectory,
    logger: { ...silentLogger, warn: (_fields, message) => warnings.push(message) },
    ...(answerWaitMs === undefined ? {} : { answerWaitMs }),
  });
}

const waiting = 'the database does not answer yet: waiting for it';

/** Each row fails when what it names has no deadline: the migration would wait for ever. */
describe('B3: given a server that is silent', () => {
  const falls = {
    'from the start': () => network.swallow(true),
    'after the handshake': () => network.swallowFrom('search_path'),
    'at the check for a pooler': () => network.swallowFrom('pg_backend_pid'),
  };
  it.each(Object.entries(falls))('%s: it says so once and ends', async (_, fall) => {
    fall();
    await expect(run({ ownerUrl: network.url }, 4_000)).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(warnings).toEqual([waiting]);
    expect(network.accepted).toBeGreaterThan(1);
  });

  it('at the other way to the database: it ends as well', async () => {
    network.swallow(true);
    const urls = { ownerUrl: database.ownerUrl, sameAs: network.url };
    await expect(run(urls, 0)).rejects.toMatchObject({ code: 'unavailable' });
  });

  // Fails when the silence is taken for a refusal.
  it('for a while: it migrates once it is answered', async () => {
    network.swallow(true);
    const migrating = run({ ownerUrl: network.url });
    await expect.poll(() => network.accepted).toBeGreaterThan(1);
    network.swallow(false);
    expect((await migrating).length).toBeGreaterThan(0);
  });
});

// Fails when it waits for a server that is not there: the reader of a wrong URL waits as long.
it('B3: where it is turned away it ends at once, and warns of nothing', async () => {
  const url = new URL(database.ownerUrl);
  url.password = 'of-somebody-else';
  await expect(run({ ownerUrl: url.href }, 600_000)).rejects.toMatchObject({ code: 'unavailable' });
  expect(warnings).toEqual([]);
});
