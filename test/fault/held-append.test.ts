import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  expectStatus,
  type FaultNode,
  logIn,
  registerUser,
  startFaultNode,
  verifyStatus,
} from '../support/fault-node.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const heldMs = 10_000;
/** Half of them while the append is held, a quarter before and a quarter after it. */
const logouts = 160;

let database: TestDatabase;
let here: FaultNode;
let there: FaultNode;

beforeAll(async () => {
  database = await createTestDatabase();
  const env = { DEVICE_POLICY_WEB: 'unlimited' };
  here = await startFaultNode({ databaseUrl: database.appUrl, env });
  there = await startFaultNode({ databaseUrl: database.appUrl, env });
}, 60_000);
afterAll(async () => {
  await Promise.all([here.kill9(), there.kill9()]);
  await database.drop();
});

/** From sending the logout here to the first refusal there, in milliseconds. */
async function untilRefusedThere(token: string): Promise<number> {
  const startedAt = performance.now();
  await expectStatus(204, here.call('POST', '/auth/logout', { token }));
  while ((await verifyStatus(there, token)) !== 401) {
    if (performance.now() - startedAt > 3_000) throw new Error('still accepted after 3 s');
  }
  return performance.now() - startedAt;
}

async function measured(tokens: readonly string[], paceMs: number): Promise<number[]> {
  const times: number[] = [];
  for (const token of tokens) {
    times.push(await untilRefusedThere(token));
    await new Promise((resolve) => setTimeout(resolve, paceMs));
  }
  return times.sort((a, b) => a - b);
}

/** An append as the service makes one, up to its commit: fence, stream, position, event. */
async function openAppend(sessionId: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.ownerUrl });
  await client.connect();
  await client.query('begin');
  await client.query('select latchkey.hold_fence()');
  await client.query('select 1 from latchkey.streams where stream_id = $1 for update', [sessionId]);
  await client.query(
    `insert into latchkey.events (kind, stream_id, version, type, schema_v, data, meta, recorded_at)
     values (2, $1, 1000, 'SessionRefreshed', 1, '{}', '{}', clock_timestamp())`,
    [sessionId],
  );
  return client;
}

/** People who have nothing to do with the held session. */
function others(emails: readonly string[]) {
  const statuses = new Map<number, number>();
  let stopped = false;
  const count = ({ status }: { status: number }) =>
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const done = Promise.all(
    emails.map(async (email) => {
      while (!stopped) {
        const { refresh_token } = await logIn(here, email, 'mobile');
        count(await here.call('POST', '/auth/refresh', { body: { refresh_token } }));
        count(await there.call('POST', '/auth/logout', { body: { refresh_token } }));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }),
  );
  return {
    statuses,
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

it('given an append held open for 10 s, nobody else is refused and a logout elsewhere is seen as fast as ever', async () => {
  const emails = ['ada@example.com', 'bob@example.com', 'cyd@example.com'];
  for (const email of emails) await registerUser(here, email);
  const held = await logIn(here, 'ada@example.com');
  const sessions = [];
  for (let n = 0; n < logouts; n += 1) sessions.push(await logIn(here, 'ada@example.com'));
  // Warm: the first of each is slower than all that follow.
  await measured([(await logIn(here, 'ada@example.com')).access_token], 0);
  const tokens = sessions.map(({ access_token }) => access_token as string);
  const traffic = others(emails.slice(1));

  const before = await measured(tokens.splice(0, logouts / 4), 50);
  const holder = await openAppend(held.session.id);
  const heldAt = performance.now();
  const refusedHeld = await here.call('POST', '/auth/logout', { token: held.access_token });
  const during = await measured(tokens.splice(0, logouts / 2), 50);
  const rest = heldMs - (performance.now() - heldAt);
  if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
  const openMs = performance.now() - heldAt;
  await holder.query('rollback');
  await holder.end();
  const after = await measured(tokens, 50);
  await traffic.stop();

  const without = [...before, ...after].sort((a, b) => a - b);
  const median = (times: readonly number[]) => times[times.length >> 1]!;
  const ratio = median(during) / median(without);
  console.log(
    `an append held for ${(openMs / 1000).toFixed(1)} s: logout seen on the other node after ` +
      `${median(during).toFixed(1)} ms, without it ${median(without).toFixed(1)} ms (medians of ${during.length}), ` +
      `ratio ${ratio.toFixed(2)}; slowest ${during.at(-1)!.toFixed(0)} and ${without.at(-1)!.toFixed(0)} ms; others' answers: ` +
      [...traffic.statuses].map(([status, n]) => `${status}: ${n}`).join(', '),
  );
  // The session itself is told to come again; everybody else does not notice.
  expect(refusedHeld.status).toBe(503);
  expect([...traffic.statuses.keys()].sort()).toEqual([200, 204]);
  expect(ratio).toBeLessThan(1.5);
  expect(during.at(-1)).toBeLessThan(1_000);
  await expectStatus(204, here.call('POST', '/auth/logout', { token: held.access_token }));
});
