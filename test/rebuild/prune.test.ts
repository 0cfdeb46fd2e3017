import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Pruning, prune } from '../../src/rebuild/prune.ts';
import { rebuildAndCompare } from '../../src/rebuild/rebuild.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { seededRandom } from './ingredients.ts';
import { Population, rebuildKeys } from './population.ts';
import { populationStartedAt } from './seeded-log.ts';

let database: TestDatabase;
let client: pg.Client;
let other: pg.Client;
let population: Population;

beforeEach(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.appUrl });
  other = new pg.Client({ connectionString: database.ownerUrl });
  await client.connect();
  await other.connect();
  population = new Population([client], seededRandom(7));
  await population.grow(100);
});

afterEach(async () => {
  await client.end();
  await other.end();
  await database.drop();
});

async function counted(statement: string, values: unknown[] = []): Promise<number> {
  const { rows } = await other.query(`select count(*)::integer as n from ${statement}`, values);
  return rows[0].n;
}

const pruned = (pruning: Pruning, at: number, limit: number, beforeNowMs = 0) =>
  prune(client, { pruning, at, beforeNowMs, limit });

async function differences() {
  return (await rebuildAndCompare({ databaseUrl: database.ownerUrl, keys: rebuildKeys }))
    .differences;
}

const late = populationStartedAt + 30 * 86_400_000;
const ended = `latchkey.sessions where status = 'ended'`;

describe('pruning', () => {
  it('forgets revocations that no live token needs, and a rebuild follows', async () => {
    const before = await counted('latchkey.revocations');
    const { rows } = await other.query(
      'select percentile_disc(0.5) within group (order by until) as middle from latchkey.revocations',
    );
    const at = (rows[0].middle as Date).getTime();
    const due = await counted('latchkey.revocations where until < $1', [rows[0].middle]);

    expect(await pruned('revocations', at, 10_000)).toBe(due);

    expect(due).toBeGreaterThan(0);
    expect(await counted('latchkey.revocations')).toBe(before - due);
    expect(await differences()).toEqual([]);
  });

  it('forgets ended sessions and no live one, and a rebuild follows', async () => {
    const live = await counted(`latchkey.sessions where status = 'live'`);
    const due = await counted(ended);

    expect(await pruned('sessions', late, 10_000)).toBe(due);

    expect(due).toBeGreaterThan(0);
    expect(await counted('latchkey.sessions')).toBe(live);
    expect(await differences()).toEqual([]);
  });

  it('works page by page, and a rebuild can follow between any two', async () => {
    const before = await counted('latchkey.revocations');
    const oneQuery: typeof client.query = client.query.bind(client);
    const inTheMiddle: number[] = [];
    const queryable = {
      query: async (config: { text: string; values?: unknown[] }) => {
        const result = await oneQuery(config);
        inTheMiddle.push(await counted('latchkey.revocations'));
        expect(await differences()).toEqual([]);
        return result;
      },
    };

    const options = { pruning: 'revocations', at: late, beforeNowMs: 0, limit: 5 } as const;
    expect(await prune(queryable as never, options)).toBe(before);

    expect(new Set(inTheMiddle).size).toBeGreaterThan(2);
    expect(await counted('latchkey.revocations')).toBe(0);
  });

  // Fails when a page goes by the instant alone: it then takes all of one instant, or none.
  it('F18: forgets any number of sessions that ended at one instant, page by page', async () => {
    await other.query(`update latchkey.sessions set ended_at = $1 where status = 'ended'`, [
      new Date(populationStartedAt),
    ]);
    const due = await counted(ended);
    const pages: string[] = [];
    const queryable = {
      query: (config: { text: string }) => {
        if (config.text.includes('doomed')) pages.push(config.text);
        return client.query(config);
      },
    };

    const options = { pruning: 'sessions', at: late, beforeNowMs: 0, limit: 2 } as const;
    expect(await prune(queryable as never, options)).toBe(due);

    expect(due).toBeGreaterThan(2);
    expect(pages.length).toBe(Math.floor(due / 2) + 1);
    expect(await counted(ended)).toBe(0);
  });

  // Fails when the worker's clock alone says what is old.
  it('F13: forgets nothing early when the clock of the worker is ahead', async () => {
    await other.query(
      `update latchkey.revocations set until = clock_timestamp() + interval '1 hour'`,
    );
    const before = await counted('latchkey.revocations');
    const ahead = Date.now() + 2 * 3_600_000;

    expect(await pruned('revocations', ahead, 10_000)).toBe(0);
    expect(await pruned('sessions', ahead, 10_000, 30 * 86_400_000)).toBeGreaterThan(0);

    expect(await counted('latchkey.revocations')).toBe(before);
    await other.query(
      `update latchkey.sessions set status = 'ended', ended_at = clock_timestamp()`,
    );
    expect(await pruned('sessions', ahead, 10_000, 30 * 86_400_000)).toBe(0);
  });

  it('stays exact when the clock goes back and appends go on', async () => {
    await pruned('revocations', late, 10_000);
    for (let step = 0; step < 60; step++) await population.step();
    await pruned('revocations', populationStartedAt, 10_000);

    expect(await counted('latchkey.revocations')).toBe(0);
    for (let step = 0; step < 60; step++) await population.step();
    expect(await counted('latchkey.revocations')).toBeGreaterThan(0);
    expect(await differences()).toEqual([]);
  });

  it('does not count an entry as pruned that an append under way may still bring', async () => {
    const { rows } = await other.query('select min(pos)::integer as pos from latchkey.revocations');
    await other.query('begin');
    await other.query('select latchkey.hold_fence()');

    expect(await pruned('revocations', late, 10_000)).toBe(0);

    await other.query('commit');
    expect(await counted('latchkey.revocations where pos = $1', [rows[0].pos])).toBe(1);
    expect(await pruned('revocations', late, 10_000)).toBeGreaterThan(0);
  });

  it('leaves a held row for the next time instead of waiting for it', async () => {
    const due = await counted(ended);
    await other.query(`begin; select from ${ended} limit 1 for update`);

    expect(await pruned('sessions', late, 10_000)).toBe(due - 1);

    await other.query('rollback');
    expect(await differences()).toEqual([]);
    expect(await pruned('sessions', late, 10_000)).toBe(1);
    expect(await differences()).toEqual([]);
  });
});
