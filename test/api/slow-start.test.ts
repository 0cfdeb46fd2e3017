import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi } from '../support/api.ts';
import { openBlackHoleProxy } from '../support/black-hole-proxy.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const patience = { timeout: 20_000, interval: 20 };

describe('an API that starts', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  // Fails when the first contact is tried once only: it has one second.
  test('waits for a database that does not answer yet', async () => {
    const network = await openBlackHoleProxy(database.appUrl);
    network.swallow(true);
    const starting = startTestApi({}, { ...database, appUrl: network.url, drop: async () => {} });
    await expect.poll(() => network.accepted, patience).toBeGreaterThan(1);
    network.swallow(false);
    const api = await starting;
    expect((await api.call('GET', '/readyz')).status).toBe(200);
    await api.stop();
    await network.close();
  }, 30_000);

  // Fails when only a handshake that is not answered counts, and not a statement.
  test('waits for one that falls silent after the handshake', async () => {
    const network = await openBlackHoleProxy(database.appUrl);
    network.swallowFrom('select');
    const starting = startTestApi({}, { ...database, appUrl: network.url, drop: async () => {} });
    await expect.poll(() => network.accepted, patience).toBeGreaterThan(1);
    network.swallow(false);
    await (await starting).stop();
    await network.close();
  }, 30_000);

  // Fails when it waits for a server that is not there: the reader of a wrong URL waits as long.
  test('gives up at once when there is no server', async () => {
    const network = await openBlackHoleProxy(database.appUrl);
    await network.close();
    const begun = performance.now();
    await expect(startTestApi({}, { ...database, appUrl: network.url })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});
