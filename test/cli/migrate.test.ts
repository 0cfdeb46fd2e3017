import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { createEmptyDatabase, withClient } from '../support/postgres.ts';
import { productionEnv, runLatchkey } from '../support/run-latchkey.ts';

it('B10: a role that is made without a password is told, with the variable', async () => {
  const database = await createEmptyDatabase();
  const role = `app_${randomBytes(4).toString('hex')}`;
  const env = { ...productionEnv, DATABASE_URL: database.ownerUrl, DATABASE_APP_ROLE: role };
  const first = await runLatchkey(['migrate'], env);
  expect(first).toMatchObject({ code: 0 });
  const warnings = first.stdout.split('\n').filter((line) => line.includes('"level":"warn"'));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('DATABASE_APP_PASSWORD is not set');
  await withClient(database.ownerUrl, async (client) => {
    await client.query(`drop owned by ${role}`);
  });
  await database.drop();
  await withRoleGone(role);
});

async function withRoleGone(role: string): Promise<void> {
  const other = await createEmptyDatabase();
  await withClient(other.ownerUrl, (client) => client.query(`drop role ${role}`));
  await other.drop();
}
