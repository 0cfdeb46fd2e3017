import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prune } from '../../src/rebuild/prune.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';

const minuteMs = 60_000;
const startedAt = Date.parse('2026-01-05T10:00:00Z');

describe('revocations of tokens that live for minutes, and now and then for hours', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  // Fails when the entries that stay are spread over the pages of those that go, as they were while
  // the key began with the position: then none of 468 pages went.
  it('leave their pages of the key to others when they go', async () => {
    const leafPages = await withClient(database.ownerUrl, async (owner) => {
      await owner.query('create extension pgstattuple');
      const countPages = async () => {
        const { rows } = await owner.query(
          `select leaf_pages::int as count from pgstatindex('latchkey.revocations_pkey')`,
        );
        return rows[0].count as number;
      };
      await owner.query(
        `insert into latchkey.revocations (pos, target_kind, target, until)
          select n, 'session', gen_random_uuid(), $1::timestamptz + n * interval '20 milliseconds'
              + case when n % 50 = 0 then interval '6 hours' else interval '15 minutes' end
            from generate_series(1, 50000) n`,
        [new Date(startedAt)],
      );
      await owner.query(`select setval('latchkey.event_pos', 50001)`);
      const at = startedAt + 60 * minuteMs;
      const pruned = await prune(owner, {
        pruning: 'revocations',
        at,
        beforeNowMs: 0,
        limit: 1_000,
      });
      expect(pruned).toBe(49_000);
      await owner.query('vacuum latchkey.revocations');
      const left = await countPages();
      await owner.query('reindex table latchkey.revocations');
      return { left, anew: await countPages() };
    });
    expect(leafPages.left).toBeLessThanOrEqual(leafPages.anew * 1.5);
  });
});
