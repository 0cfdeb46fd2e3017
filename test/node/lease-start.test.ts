import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { untilWaiting } from '../support/held-streams.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

// Fails when the lease counts from the end of a poll: what was revoked while the poll was under way
// may be missing from what it read.
it('the lease counts from the start of the poll that renews it', async () => {
  const lease = api.node.memory.leases.ofSlot(0);
  const renew = lease.renew.bind(lease);
  const agesMs: number[] = [];
  lease.renew = (start) => {
    agesMs.push(performance.now() - start.monotonicNow);
    renew(start);
  };
  const heldMs = await withClient(api.database.ownerUrl, async (owner) => {
    await owner.query('begin');
    await owner.query('lock table latchkey.log_doubts in access exclusive mode');
    await untilWaiting(api.database, `application_name like '%poll%'`);
    agesMs.length = 0;
    const seenAt = performance.now();
    await owner.query('select pg_sleep(0.3)');
    await owner.query('commit');
    return performance.now() - seenAt;
  });
  await expect.poll(() => agesMs.length).toBeGreaterThan(0);
  expect(agesMs[0]).toBeGreaterThan(heldMs - 50);
});
