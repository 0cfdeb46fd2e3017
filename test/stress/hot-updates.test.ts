import { expect, test } from 'vitest';
import { Writer } from '../../src/eventlog/writer.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { createPools } from '../../src/platform/postgres/pool.ts';
import { newSessionKey } from '../rebuild/ingredients.ts';
import { silentLogger } from '../support/cluster.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';
import { testSeal } from '../support/seal.ts';
import { refreshSession, startSession } from '../support/session-commands.ts';

// Alone on its server: while any transaction of any database stays open, a session does not find out
// anew what it may prune, and an update then finds no room on its page.
test('at least 95 % of the updates of a refresh are HOT, on streams and on sessions', async () => {
  const database = await createTestDatabase();
  const pools = createPools({
    databaseUrl: database.appUrl,
    readers: 1,
    applicationName: 'test',
    logger: silentLogger,
  });
  const writer = new Writer({
    lanes: [pools.writers, pools.writers],
    readers: pools.readers,
    seal: testSeal,
  });
  // Half of them have keys of their own, in an indexed column that no refresh changes.
  let sessions = Array.from({ length: 40 }, (_, n) =>
    startSession(newId(), newId(), n % 2 === 0 ? undefined : newSessionKey()),
  );
  await Promise.all(sessions.map(({ command }) => writer.append(command)));
  for (let generation = 2; generation <= 26; generation += 1) {
    sessions = sessions.map(refreshSession);
    await Promise.all(sessions.map(({ command }) => writer.append(command)));
  }
  // A backend reports its counts at the latest when it ends.
  await pools.end();
  await withClient(database.ownerUrl, async (owner) => {
    const counts = async () => {
      const { rows } = await owner.query(
        `select relname as table, n_tup_upd::int as updates, n_tup_hot_upd::int as hot
         from pg_stat_user_tables where relname in ('streams', 'sessions') order by 1`,
      );
      return rows as { table: string; updates: number; hot: number }[];
    };
    await expect
      .poll(async () => (await counts()).map(({ updates }) => updates))
      .toEqual([1000, 1000]);
    for (const { table, updates, hot } of await counts()) {
      expect(hot / updates, table).toBeGreaterThanOrEqual(0.95);
    }
  });
  await database.drop();
});
