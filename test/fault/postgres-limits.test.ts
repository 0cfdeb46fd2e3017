import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PostgresCounts } from '../../src/node/postgres-counts.ts';
import { createRateLimits } from '../../src/node/rate-limits.ts';
import { createSharedRateLimits } from '../../src/node/shared-rate-limits.ts';
import { createPools, type Pools } from '../../src/platform/postgres/pool.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { silentLogger } from '../support/cluster.ts';
import { withClient } from '../support/postgres.ts';
import { counted, failuresPerName, guess, holdsOverTwoNodes } from '../support/shared-limits.ts';

let here: TestApi;
let there: TestApi;
const opened: Pools[] = [];

function shortPool(databaseUrl = here.database.appUrl) {
  const options = { databaseUrl, readers: 1, short: 2, applicationName: 'test' };
  const pools = createPools({ ...options, logger: silentLogger });
  opened.push(pools);
  return pools.short!;
}

beforeAll(async () => {
  here = await startTestApi({ RATE_LIMITS: 'on', RATE_LIMIT_STORE: 'postgres' });
  there = await here.anotherNode();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((pools) => pools.end()));
});
afterAll(() => here.stop());

describe('limits that nodes count in Postgres', () => {
  holdsOverTwoNodes(() => {
    const counts = () => new PostgresCounts(shortPool(), { answerMs: 5_000 });
    return { here, there, counts: [counts(), counts()] };
  });

  it('are stored without names and addresses, and for two windows', async () => {
    await guess(here, 'private@example.com', 1);
    const { rows } = await withClient(here.database.ownerUrl, (client) =>
      client.query(`select key, expire - extract(epoch from now()) * 1000 as left_ms,
        (select relpersistence from pg_class where oid = 'latchkey.rate_limits'::regclass) as kind
        from latchkey.rate_limits`),
    );
    expect(rows.length).toBeGreaterThan(0);
    for (const { key, left_ms, kind } of rows) {
      expect(key).toMatch(/^[\w-]{22} \d+$/);
      expect(Number(left_ms)).toBeLessThanOrEqual(2 * 3_600_000);
      expect(kind, 'unlogged').toBe('u');
    }
  });
});

const perMinute = { per: 'address', count: 10, windowSeconds: 60 } as const;

describe('a Postgres that does not count', () => {
  const limitsWith = (counts: PostgresCounts) => {
    const alone: string[] = [];
    const budgets = { login: [perMinute] } as never;
    const limits = createSharedRateLimits({
      ...{ budgets, counts },
      local: createRateLimits({ enabled: true, budgets, now: () => 0 }),
      secret: Buffer.from('shared'),
      onAlone: (reason) => void alone.push(reason),
    });
    return { limits, alone };
  };
  const tenThenRefused = async ({ limits, alone }: ReturnType<typeof limitsWith>) => {
    const startedAt = performance.now();
    for (let each = 0; each < 10; each += 1) await limits.take('login', { address: '192.0.2.1' });
    await expect(limits.take('login', { address: '192.0.2.1' })).rejects.toMatchObject({
      code: 'rate_limited',
    });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    return new Set(alone);
  };

  it('because nobody listens there leaves each node its own limits, and no error', async () => {
    const url = new URL(here.database.appUrl);
    url.port = '1';
    const reasons = await tenThenRefused(limitsWith(new PostgresCounts(shortPool(url.href))));
    expect([...reasons]).toEqual(['away']);
  });

  it('because it refuses leaves each node its own limits, and no error', async () => {
    const { ownerUrl, appUrl } = here.database;
    await withClient(ownerUrl, async (owner) => {
      await owner.query('alter table latchkey.rate_limits rename to elsewhere');
      const pool = shortPool(appUrl);
      await pool.query('select 1');
      const world = limitsWith(new PostgresCounts(pool));
      expect([...(await tenThenRefused(world))]).toEqual(['refused']);
      await owner.query('alter table latchkey.elsewhere rename to rate_limits');
    });
  });

  // Fails when a request waits for the lock, or a statement goes on waiting for it in Postgres.
  it('because it is slow leaves each node its own limits, and no error', async () => {
    const { ownerUrl } = here.database;
    const email = 'slow@example.com';
    await withClient(ownerUrl, async (owner) => {
      await owner.query('begin; lock table latchkey.rate_limits in access exclusive mode');
      const statuses = await guess(here, email, failuresPerName + 2);
      expect(counted(statuses, 401)).toBe(failuresPerName);
      expect(counted(statuses, 429)).toBe(2);
      const waiting = `select 1 from pg_stat_activity
        where wait_event_type = 'Lock' and application_name like '%short'`;
      await expect.poll(async () => (await owner.query(waiting)).rows).toEqual([]);
      await owner.query('rollback');
    });
    const metrics = await here.node.metrics.registry.metrics();
    expect(metrics).toMatch(/latchkey_rate_limits_alone_total\{reason="slow"\} [1-9]/);
  });
});
