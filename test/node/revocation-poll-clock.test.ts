import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { pollBeside } from './poll-world.ts';

const hourMs = 3_600_000;
/** A poll looks for ended entries in a hundredth of the set. */
const pollsOfOneRound = 110;
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

/** How many of a hundred revocations a node still holds after a round of polls. */
async function heldAfter(until: number, databaseAt: number): Promise<number> {
  const world = pollBeside(api);
  await world.poll.start();
  const before = world.memory.revocations.size;
  for (let count = 0; count < 100; count += 1) {
    world.memory.revoke({ targetKind: 'session', target: newId(), epoch: null, until });
  }
  world.between = {
    after: (text, rows) =>
      text.includes('pg_current_snapshot()')
        ? rows.map((row) => ({ ...row, at: new Date(databaseAt) }))
        : rows,
  };
  for (let poll = 0; poll < pollsOfOneRound; poll += 1) await world.poll.refresh();
  const held = world.memory.revocations.size - before;
  await world.stop();
  return held;
}

// Fails when a node goes by its own clock alone: one that is an hour ahead would forget revocations
// whose tokens other nodes accept.
it('a node forgets no revocation that still counts by the clock of the database', async () => {
  const now = Date.now();
  expect(await heldAfter(now - 60_000, now - hourMs)).toBe(100);
});

it('a node forgets no revocation that still counts by its own clock', async () => {
  const now = Date.now();
  expect(await heldAfter(now + hourMs, now + 2 * hourMs)).toBe(100);
});

it('a node forgets a revocation that counts by neither', async () => {
  const now = Date.now();
  expect(await heldAfter(now - 60_000, now)).toBe(0);
});
