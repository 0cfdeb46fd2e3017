import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  expectStatus,
  type FaultNode,
  logIn,
  registerUser,
  startFaultNode,
  until,
  verifyStatus,
} from '../support/fault-node.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const logouts = 60;
const channel = 'latchkey:wake';

let database: TestDatabase;
let redis: TestRedis;
let here: FaultNode;
let there: FaultNode;

beforeAll(async () => {
  [database, redis] = await Promise.all([createTestDatabase(), startRedis()]);
  // A poll of a second: what is sooner than that, a message did.
  const env = {
    DEVICE_POLICY_WEB: 'unlimited',
    REDIS_URL: redis.url,
    REVOCATION_POLL_MS: '1000',
  };
  here = await startFaultNode({ databaseUrl: database.appUrl, env });
  there = await startFaultNode({ databaseUrl: database.appUrl, env });
  const listeners = async () => (await redis.client.pubsub('NUMSUB', channel))[1] === 2;
  await until(listeners, 10_000);
}, 60_000);
afterAll(async () => {
  await Promise.all([here.kill9(), there.kill9()]);
  await Promise.all([database.drop(), redis.stop()]);
});

/** From the answer to the logout here to the first refusal there, in milliseconds. */
async function untilRefusedThere(token: string): Promise<number> {
  await expectStatus(204, here.call('POST', '/auth/logout', { token }));
  const startedAt = performance.now();
  while ((await verifyStatus(there, token)) !== 401) {
    if (performance.now() - startedAt > 3_000) throw new Error('still accepted after 3 s');
  }
  return performance.now() - startedAt;
}

async function measured(count: number): Promise<number[]> {
  const email = `${count}.wake@example.com`;
  await registerUser(here, email);
  const times: number[] = [];
  for (let each = 0; each < count; each += 1) {
    times.push(await untilRefusedThere((await logIn(here, email)).access_token));
  }
  return times.sort((a, b) => a - b);
}

/** What one request to the other node takes that asks nothing of the database. */
async function requests(): Promise<number[]> {
  const times: number[] = [];
  for (let each = 0; each < 50; each += 1) times.push((await there.call('GET', '/healthz')).ms);
  return times.sort((a, b) => a - b);
}

const at = (times: readonly number[], part: number) => times[Math.floor(times.length * part)]!;

// Fails when a node does not publish, or does not poll for a message.
it('a message makes another node refuse a logout long before its poll', async () => {
  const times = await measured(logouts);
  console.log(
    `refused elsewhere after a logout: p50 ${at(times, 0.5).toFixed(1)} ms, ` +
      `p99 ${at(times, 0.99).toFixed(1)} ms, without a message up to 1000 ms`,
  );
  // On a loaded machine each step waits for a processor: then a request takes as long as here.
  const requestMs = at(await requests(), 0.5);
  expect(at(times, 0.5)).toBeLessThan(Math.max(10, 5 * requestMs));
  // The poll would be at 500 in the median.
  expect(at(times, 0.99)).toBeLessThan(250);
});

// Fails when a message could do more than begin a poll.
it('a flood of messages, forged and garbage, disturbs nobody', async () => {
  const { rows } = await withClient(database.ownerUrl, (client) =>
    client.query('select log_epoch from latchkey.log_meta'),
  );
  const email = 'flooded@example.com';
  await registerUser(here, email);
  const startedAt = performance.now();
  let [sent, refused] = [0, 0];
  while (performance.now() - startedAt < 2_000) {
    const pipeline = redis.client.pipeline();
    for (let each = 0; each < 500; each += 1) {
      const forged = each % 2 === 0 ? `${rows[0].log_epoch} forged` : 'x'.repeat(each);
      pipeline.publish(channel, forged);
    }
    await pipeline.exec();
    sent += 500;
    const { access_token } = await logIn(here, email);
    if ((await verifyStatus(there, access_token)) !== 204) refused += 1;
  }
  console.log(`${sent} forged messages, ${refused} good tokens refused`);
  expect(sent).toBeGreaterThan(2_000);
  expect(refused).toBe(0);
});
