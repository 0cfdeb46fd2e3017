import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { eventually } from '../../worker/eventually.ts';

let api: TestApi;
let other: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  other = await api.anotherNode();
});
afterAll(() => api.stop());

// Fails when the poll takes an unmoved fence for an unmoved log, and when it applies only what has
// settled.
it('an append that is held open delays no logout: the other node refuses the token meanwhile', async () => {
  const { email } = await api.register();
  const { access_token: token } = await api.logIn({ email });
  expect(await other.verify(token)).toBe(204);
  const holder = new pg.Client({ connectionString: api.database.ownerUrl });
  await holder.connect();
  try {
    await holder.query('begin');
    await holder.query(`select latchkey.hold_fence(), nextval('latchkey.event_pos')`);
    expect((await api.call('POST', '/auth/logout', { token })).status).toBe(204);
    await eventually(async () => (await other.verify(token)) === 401, 2_000);
  } finally {
    await holder.end();
  }
});
