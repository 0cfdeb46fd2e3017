import { expect, it } from 'vitest';
import { migrate } from '../../../src/platform/postgres/migrate.ts';
import { takeMigrationLock } from '../../../src/platform/postgres/migration-lock.ts';
import { migrationsDirectory, silentLogger } from '../../support/cluster.ts';
import { createEmptyDatabase, withClient } from '../../support/postgres.ts';

it('E11: who waits for another migration says for whom, and not for ever', async () => {
  const database = await createEmptyDatabase();
  const said: object[] = [];
  await withClient(database.ownerUrl, async (holder) => {
    await holder.query(`set application_name = 'a migration of somebody'`);
    await takeMigrationLock(holder, { waitMs: 0, logger: silentLogger });
    const waiting = migrate({
      ownerUrl: database.ownerUrl,
      appRole: 'latchkey_app',
      directory: migrationsDirectory,
      logger: { ...silentLogger, info: (fields) => said.push(fields) },
      turnWaitMs: 300,
    });
    const holderText = /pid \d+ \(a migration of somebody, idle since /;
    await expect(waiting).rejects.toThrow(holderText);
    expect(said).toEqual([{ holder: expect.stringMatching(holderText) }]);
  });
  await database.drop();
});
