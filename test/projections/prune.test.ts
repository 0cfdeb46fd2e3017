import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pruneRevocations, pruneSessions } from '../../src/projections/prune.ts';
import { rebuildAndCompare } from '../../src/projections/rebuild.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { seededRandom } from './ingredients.ts';
import { Population, populationStartedAt, rebuildKeys } from './population.ts';

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

    expect(await pruneRevocations(client, at, 10_000)).toBe(due);

    expect(due).toBeGreaterThan(0);
    expect(await counted('latchkey.revocations')).toBe(before - due);
    expect(await differences()).toEqual([]);
  });

  it('forgets ended sessions and no live one, and a rebuild follows', async () => {
    const live = await counted(`latchkey.sessions where status = 'live'`);
    const due = await counted(ended);

    expect(await pruneSessions(client, late, 10_000)).toBe(due);

    expect(due).toBeGreaterThan(0);
    expect(await counted('latchkey.sessions')).toBe(live);
    expect(await differences()).toEqual([]);
  });

  it('stops about where the limit is, at an instant that a rebuild can repeat', async () => {
    const before = await counted('latchkey.revocations');

    const first = await pruneRevocations(client, late, 5);

    expect(first).toBeGreaterThan(5);
    expect(first).toBeLessThan(before);
    expect(await differences()).toEqual([]);

    while ((await pruneRevocations(client, late, 5)) > 5) expect(await differences()).toEqual([]);
    expect(await counted('latchkey.revocations')).toBe(0);
    expect(await differences()).toEqual([]);
  });

  it('stays exact when the clock goes back and appends go on', async () => {
    await pruneRevocations(client, late, 10_000);
    for (let step = 0; step < 60; step++) await population.step();
    await pruneRevocations(client, populationStartedAt, 10_000);

    expect(await counted('latchkey.revocations')).toBe(0);
    for (let step = 0; step < 60; step++) await population.step();
    expect(await counted('latchkey.revocations')).toBeGreaterThan(0);
    expect(await differences()).toEqual([]);
  });

  it('does not count an entry as pruned that an append under way may still bring', async () => {
    const { rows } = await other.query('select min(pos)::integer as pos from latchkey.revocations');
    await other.query('begin');
    await other.query('select latchkey.hold_fence()');

    expect(await pruneRevocations(client, late, 10_000)).toBe(0);

    await other.query('commit');
    expect(await counted('latchkey.revocations where pos = $1', [rows[0].pos])).toBe(1);
    expect(await pruneRevocations(client, late, 10_000)).toBeGreaterThan(0);
  });

  it('gives way to a held row instead of waiting for it', async () => {
    await other.query(`begin; select from ${ended} limit 1 for update`);

    expect(await pruneSessions(client, late, 10_000)).toBe(0);

    await other.query('rollback');
    expect(await differences()).toEqual([]);
    expect(await pruneSessions(client, late, 10_000)).toBeGreaterThan(0);
  });
});
