import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { observeBacklog } from '../../src/worker/backlog.ts';
import { createJobWorld, dayMs, type JobWorld } from './job-world.ts';

let world: JobWorld;
const registry = new Registry();
beforeAll(async () => {
  world = await createJobWorld();
  observeBacklog(registry, world.pools.readers);
});
afterAll(() => world.close());

async function series(): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => /^latchkey/.test(line));
}

it('a session that is over and was not ended shows how long it waits', async () => {
  await world.startSession(Date.now());
  expect(await series()).toEqual(['latchkey_session_expiry_backlog_seconds 0']);
  await world.startSession(Date.now() - 100 * dayMs);
  const [line] = await series();
  expect(Number(line!.split(' ')[1])).toBeGreaterThan(86_400);
});

// Fails when a database that is away makes the scrape fail, or leaves old figures standing.
it('nothing is shown while the database does not answer', async () => {
  const away = new Registry();
  const use = () => Promise.reject(new Error('away'));
  observeBacklog(away, { ...world.pools.readers, use });
  expect((await away.metrics()).split('\n').filter((line) => /^latchkey/.test(line))).toEqual([]);
});
