import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findRevocations } from '../../src/projections/revocation.ts';
import { findSession } from '../../src/projections/session.ts';
import { ensurePartitions } from '../../src/worker/jobs/ensure-partitions.ts';
import { pruneOldRevocations, pruneOldSessions } from '../../src/worker/jobs/prune.ts';
import { createJobWorld, dayMs, type JobWorld, minuteMs } from './job-world.ts';

const startedAt = Date.parse('2026-01-05T10:00:00Z');

describe('pruning', () => {
  let world: JobWorld;
  let ended: string;
  let live: string;
  beforeAll(async () => {
    world = await createJobWorld();
    ended = await world.startSession(startedAt);
    live = await world.startSession(startedAt);
    await world.changeSession(ended, { type: 'RevokeSession', now: startedAt, reason: 'logout' });
  });
  afterAll(() => world.close());

  it('keeps a revocation until the tokens that it kills have expired', async () => {
    await pruneOldRevocations.run(world.context(startedAt + 15 * minuteMs));
    expect(await findRevocations(world.pools.readers, 0, 10_000)).toMatchObject([
      { target: ended },
    ]);
    await pruneOldRevocations.run(world.context(startedAt + 17 * minuteMs));
    expect(await findRevocations(world.pools.readers, 0, 10_000)).toStrictEqual([]);
  });

  it('keeps the row of an ended session for SESSION_RETENTION_SECONDS, and its events for ever', async () => {
    const config = { sessionIdleSeconds: 0, sessionRetentionSeconds: 86_400 };
    await pruneOldSessions.run(world.context(startedAt + dayMs, { config }));
    expect(await findSession(world.pools.readers, ended)).not.toBeNull();

    await pruneOldSessions.run(world.context(startedAt + dayMs + 1, { config }));
    expect(await findSession(world.pools.readers, ended)).toBeNull();
    expect(await findSession(world.pools.readers, live)).not.toBeNull();
    expect(await world.eventTypes(ended)).toStrictEqual(['SessionStarted', 'SessionRevoked']);
  });
});

describe('partitions.ensure', () => {
  it('keeps three partitions ahead of the log, without the right to make tables', async () => {
    const world = await createJobWorld();
    const count = async () =>
      (await world.owner.query('select count(*)::int as n from latchkey.session_partitions'))
        .rows[0].n;
    const before = await count();
    await world.owner.query(`select setval('latchkey.event_pos', 20000001)`);
    await ensurePartitions.run(world.context(startedAt));
    expect(await count()).toBe(before + 1);
    await world.close();
  });
});
