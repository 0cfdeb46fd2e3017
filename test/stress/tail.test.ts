import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Tail } from '../../src/eventlog/tail.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/postgres.ts';
import { appendStatement, startAppenders } from './appenders.ts';
import { fenceInOneStatement, type Poll, withoutFence } from './naive-tail.ts';

const appenders = 24;

let postgres: PrivatePostgres;
beforeAll(async () => {
  postgres = await startPrivatePostgres();
}, 60_000);
afterAll(() => postgres.remove());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: postgres.ownerUrl });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function head(): Promise<number> {
  const client = await connect();
  const { rows } = await client.query(
    'select coalesce(max(pos), 0)::int as pos from latchkey.events',
  );
  await client.end();
  return rows[0].pos;
}

interface Delivered {
  readonly pos: number;
  readonly streamId: string;
  readonly version: number;
}

function startTail(after: number) {
  const delivered: Delivered[] = [];
  const tail = new Tail({
    connect: async () => {
      const client = await connect();
      return { client, close: () => client.end().catch(() => {}) };
    },
    after,
    pollMs: 2,
    handle: async (events) => {
      for (const { pos, streamId, version } of events) delivered.push({ pos, streamId, version });
    },
  });
  tail.start();
  return { tail, delivered };
}

/** What the log holds after `after` against what was delivered. */
async function compare(after: number, delivered: readonly Delivered[]) {
  const client = await connect();
  const { rows } = await client.query<{ pos: number }>(
    `select pos::int, stream_id, version, recorded_at, xmin::text from latchkey.events
      where pos > $1 order by pos`,
    [after],
  );
  await client.end();
  const seen = new Set(delivered.map(({ pos }) => pos));
  const missed = rows.filter(({ pos }) => !seen.has(pos));
  if (missed.length > 0) console.info('missed:', JSON.stringify(missed.slice(0, 20)));
  const versions = new Map<string, number>();
  let inverted = 0;
  delivered.forEach(({ pos, streamId, version }, index) => {
    if (index > 0 && pos <= delivered[index - 1]!.pos) inverted += 1;
    if (version !== (versions.get(streamId) ?? version - 1) + 1) inverted += 1;
    versions.set(streamId, version);
  });
  return {
    events: rows.length,
    missed: missed.length,
    duplicated: delivered.length - seen.size,
    inverted,
  };
}

describe('24 appenders with slow commits, rollbacks and early writes', () => {
  for (const round of [1, 2]) {
    test(`round ${round}, 25 s: the tail misses, repeats and reorders nothing`, async () => {
      const after = await head();
      const { tail, delivered } = startTail(after);
      const load = startAppenders(() => postgres.ownerUrl, appenders);
      await pause(25_000);
      await load.stop();
      const last = await head();
      await expect.poll(() => tail.cursor, { timeout: 10_000 }).toBe(last);
      await tail.stop();
      const result = await compare(after, delivered);
      console.info(`round ${round}: ${JSON.stringify(result)}`);
      expect(result).toEqual({ events: load.committed, missed: 0, duplicated: 0, inverted: 0 });
      expect(load.committed).toBeGreaterThan(5_000);
    });
  }

  for (const [name, poll] of [
    ['a tail without the fence', withoutFence],
    ['the fence in one statement', fenceInOneStatement],
  ] as const) {
    test(`the same load finds out ${name}`, async () => {
      let missed = 0;
      for (let tries = 1; tries <= 6 && missed === 0; tries += 1)
        missed = await countMissed(poll());
      console.info(`${name}: ${missed} missed`);
      expect(missed).toBeGreaterThan(0);
    });
  }
});

/** Tails for a few seconds with `poll`, and says how many committed events it passed over. */
async function countMissed(poll: Poll): Promise<number> {
  const after = await head();
  const client = await connect();
  const load = startAppenders(() => postgres.ownerUrl, appenders);
  const seen = new Set<number>();
  let cursor = after;
  const step = async () => {
    const positions = await poll(client, cursor);
    for (const pos of positions) seen.add(pos);
    cursor = positions.at(-1) ?? cursor;
    return positions.length;
  };
  const until = performance.now() + 5_000;
  while (performance.now() < until) await step();
  await load.stop();
  while ((await step()) > 0);
  const { rows } = await client.query<{ pos: number }>(
    'select pos::int from latchkey.events where pos > $1',
    [after],
  );
  await client.end();
  return rows.filter(({ pos }) => !seen.has(pos)).length;
}

test('20 kill -9 of Postgres, with rollbacks just before each: the surviving tail loses nothing', async () => {
  const after = await head();
  const { tail, delivered } = startTail(after);
  let acknowledged = 0;
  for (let kill = 1; kill <= 20; kill += 1) {
    const load = startAppenders(() => postgres.ownerUrl, 8);
    await pause(400);
    await drawAndRollBack(tail);
    postgres.kill9();
    await load.stop();
    acknowledged += load.committed;
    await postgres.restart();
    // Quiet after the crash: the next positions may be those that the rollbacks had drawn.
    const client = await connect();
    for (let n = 0; n < 8; n += 1) {
      await client.query(appendStatement(randomUUID()));
      acknowledged += 1;
    }
    await client.end();
  }
  const last = await head();
  await expect.poll(() => tail.cursor, { timeout: 10_000 }).toBe(last);
  await tail.stop();
  const result = await compare(after, delivered);
  console.info(`20 kills: ${JSON.stringify(result)}, ${acknowledged} acknowledged`);
  expect(result).toMatchObject({ missed: 0, duplicated: 0, inverted: 0 });
  expect(result.events).toBeGreaterThanOrEqual(acknowledged);
});

/** Draws positions that no commit makes durable, and lets the tail poll past them. */
async function drawAndRollBack(tail: Tail): Promise<void> {
  const client = await connect();
  for (let n = 0; n < 10; n += 1) {
    await client.query('begin');
    await client.query(appendStatement(randomUUID()));
    await client.query('rollback');
  }
  const seen = tail.polls;
  await expect.poll(() => tail.polls, { interval: 1 }).toBeGreaterThan(seen + 1);
  await client.end();
}
