import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

// Fails when only the first page is read at start, and when the pages do not follow each other.
it('a node that starts knows the last of many revocations', async () => {
  const { email } = await api.register();
  const { access_token: token, session } = await api.logIn({ email });
  await withClient(api.database.ownerUrl, async (client) => {
    await client.query(`select setval('latchkey.event_pos', 30000)`);
    await client.query(
      `insert into latchkey.revocations (pos, target_kind, target, until)
       select 100 + n, 'session', gen_random_uuid(), now() + interval '1 hour'
       from generate_series(1, 12000) n
       union all select 20000, 'session', $1, now() + interval '1 hour'`,
      [session.id],
    );
  });
  const other = await api.anotherNode();
  expect(await other.verify(token)).toBe(401);
  expect(other.node.memory.revocations.size).toBeGreaterThan(12_000);
});
