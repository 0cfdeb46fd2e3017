import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

describe('who writes to the database and lacks the KEK', () => {
  // Fails when a retry reads the log without asking for seals.
  it('A3: changes no first answer by an event that it adds to the stream', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { email: anEmail(), password: testPassword };
    const register = () => api.call('POST', '/auth/register', { body, headers });
    const { id } = (await register()).body.user;
    expect((await register()).status).toBe(201);
    const { appUrl } = api.database;
    await withClient(appUrl, async (thief) => {
      await thief.query(
        `insert into latchkey.events
        (kind, stream_id, version, type, schema_v, data, subject_id, meta, recorded_at)
        select kind, stream_id, 2, 'RoleGranted', 1, '{"at": 1, "role": "latchkey:admin"}',
          subject_id, meta, now() from latchkey.events where stream_id = $1`,
        [id],
      );
      await thief.query(
        `update latchkey.streams set last_pos =
        (select max(pos) from latchkey.events where stream_id = $1) where stream_id = $1`,
        [id],
      );
    });
    const retried = await register();
    expect([retried.status, retried.body.code]).toEqual([500, 'internal_error']);
    const metrics = await api.node.metrics.registry.metrics();
    expect(metrics).toContain('latchkey_refused_rows_total{table="events"} 1');
  });
});
