import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';
import { type PollWorld, pollBeside } from './poll-world.ts';

let api: TestApi;
let world: PollWorld;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

beforeEach(async () => {
  world = pollBeside(api);
  await world.poll.start();
});
afterEach(() => world.stop());

async function pollStatements(): Promise<string[]> {
  world.statements = [];
  await world.poll.refresh();
  return world.statements;
}

/**
 * A poll that finds nothing new asks one thing. Other tests share the cluster: a transaction of
 * theirs is something new to look at, whatever it did.
 */
async function expectIdlePoll(): Promise<void> {
  await expect.poll(async () => (await pollStatements()).length, { interval: 1 }).toBe(1);
}

async function endSession(): Promise<string> {
  const { email } = await api.register();
  const { access_token: token, session } = await api.logIn({ email });
  expect((await api.call('POST', '/auth/logout', { token })).status).toBe(204);
  return session.id;
}

describe('the revocation poll', () => {
  // Fails when it asks who holds the fence: that list grows with connections and open appends.
  it('F4: never looks at pg_locks, idle or busy', async () => {
    await expectIdlePoll();
    await withClient(api.database.ownerUrl, async (holder) => {
      await holder.query('begin');
      await holder.query(`select latchkey.hold_fence(), nextval('latchkey.event_pos')`);
      const before = world.memory.revocations.size;
      await endSession();
      const busy = await pollStatements();
      expect(world.memory.revocations.size).toBe(before + 1);
      expect(busy.length).toBeLessThanOrEqual(3);
      expect(busy.join('\n')).not.toContain('pg_locks');
      await expectIdlePoll();
      await holder.query('rollback');
    });
  });
});
