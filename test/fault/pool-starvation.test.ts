import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  expectStatus,
  type FaultNode,
  faultPassword,
  logIn,
  registerUser,
  startFaultNode,
  until,
  verifyStatus,
} from '../support/fault-node.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';

const leaseSeconds = 2;
const readers = 6;
const writers = 2;

let database: TestDatabase;
let starved: FaultNode;
let other: FaultNode;

beforeAll(async () => {
  database = await createTestDatabase();
  const env = {
    LEASE_SECONDS: String(leaseSeconds),
    POOL_READERS: String(readers),
    DEVICE_POLICY_WEB: 'unlimited',
  };
  starved = await startFaultNode({ databaseUrl: database.appUrl, env });
  other = await startFaultNode({ databaseUrl: database.appUrl, env });
}, 60_000);
afterAll(async () => {
  await Promise.all([starved.kill9(), other.kill9()]);
  await database.drop();
});

/** Connections of the pools that wait for a lock, by pool. */
async function blocked(): Promise<{ readers: number; writers: number }> {
  const { rows } = await withClient(database.ownerUrl, (client) =>
    client.query(`select
      count(*) filter (where application_name like '% reader')::int as readers,
      count(*) filter (where application_name like '% writer')::int as writers
      from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`),
  );
  return rows[0];
}

function keepCalling(node: FaultNode, path: string, body: () => object, callers: number) {
  let stopped = false;
  const loops = Array.from({ length: callers }, async () => {
    while (!stopped) await node.call('POST', path, { body: body() });
  });
  return async () => {
    stopped = true;
    await Promise.all(loops);
  };
}

let registered = 0;
function newcomer() {
  registered += 1;
  return { email: `n${registered}@example.com`, password: faultPassword };
}

it('given all of its pooled connections are held, a node still learns of every logout and keeps its lease', async () => {
  const email = 'ada@example.com';
  await registerUser(other, email);
  const sessions = await Promise.all(Array.from({ length: 40 }, () => logIn(other, email)));
  const kept = sessions.pop()!;
  await until(async () => (await verifyStatus(starved, kept.access_token)) === 204, 2_000);
  const holder = new pg.Client({ connectionString: database.ownerUrl });
  await holder.connect();
  const stops: (() => Promise<void>)[] = [];
  try {
    // Writers first: their command reads before it writes, so the readers must still be free.
    await holder.query('begin');
    await holder.query('lock table latchkey.password_hashes in share mode');
    stops.push(keepCalling(starved, '/auth/register', newcomer, 8));
    await until(async () => (await blocked()).writers >= writers, 5_000);
    await holder.query('lock table latchkey.password_hashes in access exclusive mode');
    const credentials = () => ({ email, password: faultPassword });
    stops.push(keepCalling(starved, '/auth/login', credentials, 24));
    await until(async () => (await blocked()).readers >= readers, 5_000);

    const startedAt = performance.now();
    const seen: number[] = [];
    const starvation: { readers: number; writers: number }[] = [];
    for (const { access_token: token } of sessions) {
      if (seen.length % 5 === 0) starvation.push(await blocked());
      await expectStatus(204, other.call('POST', '/auth/logout', { token }));
      const answeredAt = performance.now();
      await until(
        async () => (await verifyStatus(starved, token)) === 401,
        leaseSeconds * 1_000,
        1,
      );
      seen.push(performance.now() - answeredAt);
      const ready = await starved.call('GET', '/readyz/verify');
      expect(ready.status, 'the lease').toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(performance.now() - startedAt).toBeGreaterThan(leaseSeconds * 1000);
    expect(await verifyStatus(starved, kept.access_token)).toBe(204);
    seen.sort((a, b) => a - b);
    console.log(
      `starved node: a logout elsewhere was refused after ${seen[seen.length >> 1]!.toFixed(0)} ms ` +
        `(median of ${seen.length}), at most ${seen.at(-1)!.toFixed(0)} ms; connections waiting for a lock: ` +
        starvation.map(({ readers: r, writers: w }) => `${r}+${w}`).join(' '),
    );
    expect(seen[seen.length >> 1]).toBeLessThan(250);
    expect(seen.at(-1)).toBeLessThan(500);
    for (const at of starvation) expect(at.readers + at.writers).toBeGreaterThanOrEqual(readers);
  } finally {
    await holder.end();
    await Promise.all(stops.map((stop) => stop()));
  }
  await until(async () => (await starved.call('GET', '/readyz')).status === 200, 5_000);
});
