import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/domain/kernel/limits.ts';
import { readStream } from '../../src/eventlog/read.ts';
import { findExpiredSessions, findSession } from '../../src/tables/session.ts';
import { expireSessions } from '../../src/worker/jobs/expire-sessions.ts';
import { visibleRevocations } from '../support/revocations.ts';
import { createJobWorld, dayMs, type JobWorld, jobConfig, minuteMs } from './job-world.ts';

const startedAt = Date.parse('2026-01-05T10:00:00Z');
const weekLater = startedAt + 7 * dayMs;

describe('sessions.expire', () => {
  let world: JobWorld;
  beforeAll(async () => {
    world = await createJobWorld();
  });
  afterAll(() => world.close());

  it('ends a session whose absolute life is over, and no other', async () => {
    const over = await world.startSession(startedAt);
    const alive = await world.startSession(startedAt + 1);

    await expireSessions().run(world.context(weekLater));

    expect(await world.eventTypes(over)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    const [, expired] = await readStream(world.records, over);
    expect(expired).toMatchObject({ meta: { actor: 'worker', actor_type: 'worker' } });
    expect((await findSession(world.records, over))?.state).toMatchObject({
      status: 'ended',
      endReason: 'expired',
      endedAt: weekLater,
    });
    expect(await world.eventTypes(alive)).toStrictEqual(['SessionStarted']);
  });

  it('goes on until none is left, however many there are', async () => {
    const count = 2 * limits.batchCommandsMax + 5;
    const sessions = await Promise.all(
      Array.from({ length: count }, () => world.startSession(startedAt - dayMs)),
    );
    const context = world.context(weekLater - dayMs);

    await expireSessions().run(context);

    const { rows } = await world.owner.query(
      `select count(*) from latchkey.sessions where session_id = any ($1) and status = 'ended'`,
      [sessions],
    );
    expect(Number(rows[0].count)).toBe(count);
    expect((await context.metrics.sessionsExpired.get()).values[0]?.value).toBe(count);
  });

  // Fails when the conflict of the slower run is decided on what it read first: it would expire the session again.
  it('gives one event when several runs meet', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 20 }, () => world.startSession(startedAt - 2 * dayMs)),
    );
    await Promise.all(
      [1, 2, 3].map(() => expireSessions().run(world.context(weekLater - 2 * dayMs))),
    );
    for (const session of sessions) {
      expect(await world.eventTypes(session)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    }
  });

  // Fails when each page is read from the oldest index entry on.
  it('F19: a page does not pass over the sessions that the pages before it ended', async () => {
    const count = 3 * limits.batchCommandsMax;
    await Promise.all(Array.from({ length: count }, () => world.startSession(startedAt - dayMs)));
    const now = weekLater - dayMs;
    await world.pools.readers.use(
      async (snapshot) => {
        // As long as this is open, no index entry of an ended session can be removed.
        await snapshot.query('begin isolation level repeatable read');
        await snapshot.query('select count(*) from latchkey.sessions');
        await expireSessions().run(world.context(now));
        await world.startSession(startedAt - dayMs);
        const entriesSoFar = async () => {
          const { rows } = await world.owner.query(
            `select pg_stat_get_xact_tuples_returned(
              'latchkey.sessions_expiry'::regclass)::int as n`,
          );
          return rows[0].n as number;
        };
        const entriesRead = async (after: { expiresAt: number; sessionId: string }) => {
          // A table this small may as well be read whole: that is not in question here.
          await world.owner.query('begin; set local enable_seqscan = off');
          const before = await entriesSoFar();
          await findExpiredSessions(world.sealed(world.owner), { now, after, limit: 100 });
          const read = (await entriesSoFar()) - before;
          await world.owner.query('rollback');
          return read;
        };
        const last = { expiresAt: now, sessionId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };
        const first = { expiresAt: 0, sessionId: '00000000-0000-0000-0000-000000000000' };
        expect(await entriesRead(first)).toBeGreaterThan(count / 2);
        expect(await entriesRead(last)).toBeLessThan(10);
        await snapshot.query('rollback');
      },
      { timeoutMs: 20_000 },
    );
  });

  // Fails when a page with a row that is not believed counts as the last one, or as the end of all.
  it('goes on behind rows that this service did not write', async () => {
    const at = startedAt - 4 * dayMs;
    const damaged = await Promise.all(
      Array.from({ length: limits.batchCommandsMax }, (_, n) => world.startSession(at + n)),
    );
    await world.owner.query(
      `update latchkey.sessions set scope = 'all' where session_id = any ($1)`,
      [damaged],
    );
    const over = await Promise.all(
      Array.from({ length: 3 }, (_, n) => world.startSession(at + limits.batchCommandsMax + n)),
    );
    await expireSessions().run(world.context(at + 8 * dayMs));
    for (const session of over) {
      expect(await world.eventTypes(session)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    }
    expect(await world.eventTypes(damaged[0]!)).toStrictEqual(['SessionStarted']);
    await world.owner.query('delete from latchkey.sessions where session_id = any ($1)', [damaged]);
  });

  // Fails when the first session that cannot be ended ends the run: all that expired later would
  // stay.
  it('ends all others when somebody holds one, and fails afterwards', async () => {
    const at = startedAt - 5 * dayMs;
    const count = 2 * limits.batchCommandsMax;
    const sessions = await Promise.all(
      Array.from({ length: count }, (_, n) => world.startSession(at + n)),
    );
    const held = sessions[0]!;
    await world.owner.query('begin');
    await world.owner.query('select from latchkey.streams where stream_id = $1 for update', [held]);
    const context = world.context(at + 8 * dayMs);
    await expect(expireSessions().run(context)).rejects.toMatchObject({ code: 'unavailable' });
    await world.owner.query('rollback');
    expect((await context.metrics.sessionsExpired.get()).values[0]?.value).toBe(count - 1);

    await expireSessions().run(context);
    expect(await world.eventTypes(held)).toStrictEqual(['SessionStarted', 'SessionExpired']);
  });

  it('stops between two batches when the worker is to end', async () => {
    const session = await world.startSession(startedAt - 3 * dayMs);
    const context = world.context(weekLater - 3 * dayMs, { signal: AbortSignal.abort() });
    await expireSessions().run(context);
    expect(await world.eventTypes(session)).toStrictEqual(['SessionStarted']);
  });
});

describe('sessions.expire with an idle timeout', () => {
  let world: JobWorld;
  beforeAll(async () => {
    world = await createJobWorld();
  });
  afterAll(() => world.close());

  it('ends a session that was not refreshed for so long, and revokes its access tokens', async () => {
    const idle = await world.startSession(startedAt);
    const busy = await world.startSession(startedAt);
    await world.refreshSession(busy, 1, startedAt + 31 * minuteMs);
    const config = { ...jobConfig, sessions: { idleSeconds: 3_600, retentionSeconds: 86_400 } };
    const job = expireSessions();

    await job.run(world.context(startedAt + 60 * minuteMs - 1, { config }));
    expect(await world.eventTypes(idle)).toStrictEqual(['SessionStarted']);

    await job.run(world.context(startedAt + 60 * minuteMs, { config }));
    expect(await world.eventTypes(idle)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    expect(await world.eventTypes(busy)).toStrictEqual(['SessionStarted', 'SessionRefreshed']);
    expect(await visibleRevocations(world.pools.readers)).toMatchObject([{ target: idle }]);
  });

  // Fails when one device type's access life decides for another.
  it('gives each device type at least twice its access life', async () => {
    const config = { ...jobConfig, sessions: { idleSeconds: 1_800, retentionSeconds: 86_400 } };
    const web = await world.startSession(startedAt);
    const iot = await world.startSession(startedAt, 'iot');
    const job = expireSessions();

    await job.run(world.context(startedAt + 12 * 60 * minuteMs - 1, { config }));
    expect(await world.eventTypes(web)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    expect(await world.eventTypes(iot)).toStrictEqual(['SessionStarted']);

    await job.run(world.context(startedAt + 12 * 60 * minuteMs, { config }));
    expect(await world.eventTypes(iot)).toStrictEqual(['SessionStarted', 'SessionExpired']);
  });

  // Fails when one such row makes every run fail at its page, and the place never moves on.
  it('goes on behind a row that this service did not write', async () => {
    const config = { ...jobConfig, sessions: { idleSeconds: 3_600, retentionSeconds: 86_400 } };
    const damaged = await world.startSession(startedAt + 4 * dayMs);
    const idle = await world.startSession(startedAt + 4 * dayMs + 1);
    await world.owner.query(`update latchkey.sessions set scope = 'all' where session_id = $1`, [
      damaged,
    ]);
    await expireSessions().run(world.context(startedAt + 5 * dayMs, { config }));
    expect(await world.eventTypes(idle)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    expect(await world.eventTypes(damaged)).toStrictEqual(['SessionStarted']);
    await world.owner.query('delete from latchkey.sessions where session_id = $1', [damaged]);
  });

  it('ends idle ones also when one that is past its absolute life cannot be ended', async () => {
    const config = { ...jobConfig, sessions: { idleSeconds: 3_600, retentionSeconds: 86_400 } };
    const held = await world.startSession(startedAt + dayMs);
    const idle = await world.startSession(startedAt + 6 * dayMs);
    await world.owner.query('begin');
    await world.owner.query('select from latchkey.streams where stream_id = $1 for update', [held]);
    const run = expireSessions().run(world.context(startedAt + 8 * dayMs, { config }));
    await expect(run).rejects.toMatchObject({ code: 'unavailable' });
    expect(await world.eventTypes(held)).toStrictEqual(['SessionStarted']);
    expect(await world.eventTypes(idle)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    await world.owner.query('rollback');
    await expireSessions().run(world.context(startedAt + 8 * dayMs, { config }));
  });

  it('leaves idle sessions alone when there is none', async () => {
    const idle = await world.startSession(startedAt);
    await expireSessions().run(world.context(startedAt + 6 * dayMs));
    expect(await world.eventTypes(idle)).toStrictEqual(['SessionStarted']);
  });

  // Fails when the job knows only the end that a session started with.
  it('A8: ends, after a restart, what is older than the life configured now', async () => {
    const settings = { ...jobConfig, sessions: { idleSeconds: 0, retentionSeconds: 86_400 } };
    const config = { ...settings, lifetimes: { profile: 'banking' as const } };
    const old = await world.startSession(startedAt + 30 * dayMs);
    const young = await world.startSession(startedAt + 30 * dayMs + 1);
    await expireSessions().run(world.context(startedAt + 31 * dayMs, { config: settings }));
    expect(await world.eventTypes(old)).toStrictEqual(['SessionStarted']);
    await expireSessions().run(world.context(startedAt + 31 * dayMs, { config }));
    expect(await world.eventTypes(old)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    expect(await world.eventTypes(young)).toStrictEqual(['SessionStarted']);
  });
});
