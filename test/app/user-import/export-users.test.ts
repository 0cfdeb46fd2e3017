import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { byProgram } from '../../../src/app/by.ts';
import { exportUsers } from '../../../src/app/user-import/export-users.ts';
import { importUsers } from '../../../src/app/user-import/import-users.ts';
import { anEmail, startTestApi, type TestApi } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';
import { candidate } from './read-samples.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

async function exported() {
  const ids: unknown[] = [];
  let leftOut = 0;
  for await (const page of exportUsers(api.node, { passwordHashes: false })) {
    ids.push(...page.users.map(({ user }) => user.id));
    leftOut += page.leftOut;
  }
  return { ids: ids.sort(), leftOut };
}

// More than a page of 500. Fails when a page with fewer users than it may hold is the last one.
it('goes on behind users whose rows are not to be trusted, and counts them', async () => {
  const all = Array.from({ length: 520 }, () => candidate({ id: randomUUID(), email: anEmail() }));
  await importUsers(api.node, all, byProgram('system', 'cli'));
  const ids = all.map(({ userId }) => userId).sort();
  expect(await exported()).toEqual({ ids, leftOut: 0 });

  const forged = await withClient(api.database.ownerUrl, async (client) => {
    const { rows } = await client.query(
      `update latchkey.users set roles = array['x'] where user_id in (
        select user_id from latchkey.users order by registered_at desc, user_id desc
        offset 100 limit 1) returning user_id`,
    );
    return rows[0].user_id as string;
  });
  expect(await exported()).toEqual({ ids: ids.filter((id) => id !== forged), leftOut: 1 });
});

it('counts a user whose subject key is gone', async () => {
  const { leftOut, ids } = await exported();
  await withClient(api.database.ownerUrl, (client) =>
    client.query('delete from latchkey.subject_keys where subject_id = $1', [ids[0]]),
  );
  expect(await exported()).toEqual({ ids: ids.slice(1), leftOut: leftOut + 1 });
});
