import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { refreshSession, type SessionStep, startSession } from '../support/session-commands.ts';

const partitions = 400;
const width = 1_000;
/** The parents, one leaf with its indexes, and `streams` with its own. */
const locksMax = 20;

let log: TestLog;
let client: pg.Client;
let session: SessionStep;

beforeAll(async () => {
  log = await openTestLog();
  await log.owner.query('delete from latchkey.session_partitions');
  await log.owner.query('alter table latchkey.events detach partition latchkey.events_session');
  await log.owner.query('drop table latchkey.events_session');
  await log.owner.query(
    `create table latchkey.events_session partition of latchkey.events for values in (2)
      partition by range (pos)`,
  );
  for (let ahead = 0; ahead < partitions; ahead += 100) {
    await log.owner.query("select setval('latchkey.event_pos', $1)", [ahead * width + 1]);
    await log.owner.query('select latchkey.ensure_session_partitions(100, $1)', [width]);
  }
  session = startSession();
  await log.writer.append(session.command);
  session = refreshSession(session);
  await log.writer.append(session.command);
  client = new pg.Client({ connectionString: log.database.appUrl });
  await client.connect();
}, 60_000);
afterAll(async () => {
  await client.end();
  await log.close();
});

/** How many relations one transaction holds after this statement. */
async function locksOf(text: string, values: unknown[]): Promise<number> {
  await client.query('begin');
  try {
    const { rowCount } = await client.query(text, values);
    expect(rowCount).toBeGreaterThan(0);
    const { rows } = await client.query(
      `select count(*)::int as count from pg_locks
        where pid = pg_backend_pid() and locktype = 'relation' and relation >= 16384`,
    );
    return rows[0].count;
  } finally {
    await client.query('rollback');
  }
}

describe(`with ${partitions} partitions`, () => {
  // Fails when the bounds of a stream are bound parameters: that locks every partition.
  it('F2: the read of a stream locks the partitions it reads and no other', async () => {
    const text = 'select pos from latchkey.read_stream($1)';
    for (let run = 1; run <= 7; run += 1) {
      expect(await locksOf(text, [session.sessionId]), `run ${run}`).toBeLessThanOrEqual(locksMax);
    }
  });

  it('F2: so do the look for a command and the read-back after a lost answer', async () => {
    const { sessionId, command } = session;
    const values = [sessionId, command.commandId];
    const find = 'select pos from latchkey.find_command($1, $2) where pos is not null';
    expect(await locksOf(find, values)).toBeLessThanOrEqual(locksMax);
    const readBack =
      'select last_pos from latchkey.read_back(array[$1]::uuid[], $2) where last_pos is not null';
    expect(await locksOf(readBack, values)).toBeLessThanOrEqual(locksMax);
  });

  it('F2: and so does an append', async () => {
    const insert = `insert into latchkey.events
        (kind, stream_id, version, type, schema_v, data, meta, recorded_at)
      select 2, s, 1, 'Filler', 1, '{}', '{}', now()
      from unnest(array[$1]::uuid[]) s returning pos`;
    for (let run = 1; run <= 7; run += 1) {
      expect(await locksOf(insert, [session.sessionId]), `run ${run}`).toBeLessThanOrEqual(
        locksMax,
      );
    }
  });
});
