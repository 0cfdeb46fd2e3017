import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { highestPositionSql } from '../../src/eventlog/highest-position.ts';
import { type PrivatePostgres, startPrivatePostgres, withClient } from '../support/postgres.ts';

const drawers = 4;
const looks = 300_000;

let postgres: PrivatePostgres;
beforeAll(async () => {
  postgres = await startPrivatePostgres();
}, 60_000);
afterAll(() => postgres.remove());

/** Draws positions without end, as fast as the server can. */
async function draw(until: AbortSignal): Promise<void> {
  await withClient(postgres.ownerUrl, async (client) => {
    while (!until.aborted) {
      await client.query(
        "select count(nextval('latchkey.event_pos')) from generate_series(1, 5000)",
      );
    }
  });
}

/** How often what `expression` says fell: it had told a position that nobody had drawn. */
async function countFalls(expression: string): Promise<number> {
  const client = new pg.Client({ connectionString: postgres.ownerUrl });
  await client.connect();
  const told: number[] = [];
  client.on('notice', ({ message }) => told.push(Number(message)));
  await client.query(`do $$ declare before bigint := 0; now bigint; falls int := 0; begin
    for look in 1..${looks} loop
      now := ${expression};
      if now < before then falls := falls + 1; end if;
      before := now;
    end loop;
    raise notice '%', falls;
  end $$`);
  await client.end();
  return told[0]!;
}

// Fails when the highest position is read beside the lock of the sequence: then the fence settles
// positions that are yet to be drawn, and a tail passes over their events.
test('F20: given positions drawn without pause, the highest one never falls', async () => {
  const drawing = new AbortController();
  const draws = Array.from({ length: drawers }, () => draw(drawing.signal));
  const plain = '(select last_value from latchkey.event_pos)';
  const [ours, naive] = await Promise.all([countFalls(highestPositionSql), countFalls(plain)]);
  drawing.abort();
  await Promise.all(draws);
  console.info(`${looks} looks: ours fell ${ours} times, select last_value ${naive} times`);
  expect(ours).toBe(0);
  expect(naive, 'the load finds out the plain one').toBeGreaterThan(0);
}, 120_000);
