import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresCounts } from '../../src/node/postgres-counts.ts';
import { createPools, type Pools } from '../../src/platform/postgres/pool.ts';
import { silentLogger } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let pools: Pools;
beforeAll(async () => {
  database = await createTestDatabase();
  const options = { databaseUrl: database.appUrl, readers: 2, applicationName: 'test' };
  pools = createPools({ ...options, logger: silentLogger });
});
afterAll(async () => {
  await pools.end();
  await database.drop();
});

const charge = { key: 'a key', count: 10, windowMs: 60_000 };

describe('windows that are counted in Postgres', () => {
  const minute = 29_000_000 * 60_000;
  const at = (ms: number) =>
    new PostgresCounts(pools.readers, { now: () => minute + ms, answerMs: 5_000 });
  const takes = async (counts: PostgresCounts, key: string, times: number) => {
    const waits: (number | string)[] = [];
    for (let each = 0; each < times; each += 1) {
      const answer = await counts.count('take', [{ ...charge, key }]);
      waits.push(typeof answer === 'string' ? answer : answer.waitMs);
    }
    return waits;
  };

  // Fails with a fixed window: ten more fit right after the first one has ended.
  it('slide: what was counted fades over the next one', async () => {
    expect(await takes(at(59_000), 'sliding', 10)).toEqual(Array(10).fill(0));
    expect(await takes(at(60_000), 'sliding', 1)).toEqual([6_000]);
    expect(await takes(at(90_000), 'sliding', 6)).toEqual([0, 0, 0, 0, 0, 6_000]);
    expect(await takes(at(180_000), 'sliding', 1)).toEqual([0]);
  });

  it('are counted in all keys or in none', async () => {
    const counts = at(0);
    const full = { ...charge, key: 'full', count: 1 };
    const other = { ...charge, key: 'other' };
    await counts.count('take', [full]);
    for (let each = 0; each < 10; each += 1) {
      expect(await counts.count('take', [other, full])).toMatchObject({ waitMs: 120_000 });
    }
    const once = { ...other, count: 1 };
    await expect.poll(() => counts.count('look', [once])).toMatchObject({ waitMs: 0 });
  });

  // Fails when a count that is given back after its window leaves less than nothing in the next.
  it('are given back in the window of the count, or not at all', async () => {
    const early = at(0);
    const taken = await early.count('take', [charge]);
    if (typeof taken === 'string') expect.unreachable(taken);
    for (const ms of [60_000, 120_000, 180_000]) at(ms).undo([charge], taken);
    const waits = await takes(at(120_000), charge.key, 11);
    expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
  });
});
