import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { noteAccessTokenTtl } from '../../src/eventlog/access-token-lifetimes.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { revocationOfUser } from '../../src/tables/revocation.ts';
import { findSession } from '../../src/tables/session.ts';
import { ensurePartitions } from '../../src/worker/jobs/ensure-partitions.ts';
import {
  pruneOldCounts,
  pruneOldEpochs,
  pruneOldProofs,
  pruneOldRevocations,
  pruneOldSessions,
} from '../../src/worker/jobs/prune.ts';
import { visibleRevocations } from '../support/revocations.ts';
import { createJobWorld, dayMs, type JobWorld, jobConfig, minuteMs } from './job-world.ts';

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
    expect(await visibleRevocations(world.pools.readers)).toMatchObject([{ target: ended }]);
    await pruneOldRevocations.run(world.context(startedAt + 17 * minuteMs));
    expect(await visibleRevocations(world.pools.readers)).toStrictEqual([]);
  });

  it('keeps the row of an ended session for SESSION_RETENTION_SECONDS, and its events for ever', async () => {
    const config = { ...jobConfig, sessions: { idleSeconds: 0, retentionSeconds: 86_400 } };
    await pruneOldSessions.run(world.context(startedAt + dayMs, { config }));
    expect(await findSession(world.records, ended)).not.toBeNull();

    const stopped = { config, signal: AbortSignal.abort() };
    await pruneOldSessions.run(world.context(startedAt + dayMs + 1, stopped));
    expect(await findSession(world.records, ended), 'a worker that ends').not.toBeNull();

    await pruneOldSessions.run(world.context(startedAt + dayMs + 1, { config }));
    expect(await findSession(world.records, ended)).toBeNull();
    expect(await findSession(world.records, live)).not.toBeNull();
    expect(await world.eventTypes(ended)).toStrictEqual(['SessionStarted', 'SessionRevoked']);
  });
});

describe('rows that go with their time', () => {
  afterEach(() => vi.restoreAllMocks());

  // Fails when a run goes on for as long as there is a full page: the job would count as hanging.
  it.each([
    {
      job: pruneOldProofs,
      table: 'dpop_proofs',
      old: `select sha256(n::text::bytea), clock_timestamp() - interval '1 hour'`,
      live: `select 'live', clock_timestamp() + interval '1 hour'`,
    },
    {
      job: pruneOldCounts,
      table: 'rate_limits',
      old: `select 'old ' || n, 1, extract(epoch from clock_timestamp())::bigint * 1000 - 120000`,
      live: `select 'live', 1, extract(epoch from clock_timestamp())::bigint * 1000 + 60000`,
    },
  ])('$table are left to the next run once a run has taken its time', async (kind) => {
    const { job, table, old, live } = kind;
    const world = await createJobWorld();
    await world.owner.query(`insert into latchkey.${table} ${live}`);
    await world.owner.query(`insert into latchkey.${table} ${old} from generate_series(1, 1500) n`);
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort());
    const left = async () => {
      await job.run(world.context(Date.now()));
      return (await world.owner.query(`select 1 from latchkey.${table}`)).rows.length;
    };
    expect(await left()).toBe(1501);
    expect(timeout).toHaveBeenCalledWith(4 * minuteMs);
    vi.restoreAllMocks();
    expect(await left()).toBe(1);
    await world.close();
  });
});

describe('F6: a revocation of a user', () => {
  let world: JobWorld;
  const userId = newId();
  beforeAll(async () => {
    world = await createJobWorld();
  });
  afterAll(() => world.close());

  /** As an event at `at` would have left it. */
  async function revoke(at: number): Promise<void> {
    const { until, epoch } = revocationOfUser(userId, {
      type: 'UserDisabled',
      data: { at, epoch: 2 },
    })!;
    await world.owner.query(
      `insert into latchkey.revocations (pos, target_kind, target, epoch, until)
        values (0, 'user', $1, $2, $3)`,
      [userId, epoch, new Date(until)],
    );
  }
  const kept = async () => {
    await pruneOldEpochs.run(world.context(Date.now()));
    return (await visibleRevocations(world.pools.readers)).length;
  };

  // Fails when what may be configured counts, not what is.
  it('goes once the longest token that is configured anywhere has expired', async () => {
    await revoke(Date.now() - 65 * minuteMs);
    expect(await kept(), 'no node has said how long its tokens live').toBe(1);
    await noteAccessTokenTtl(world.pools.readers, 2 * 3_600);
    await noteAccessTokenTtl(world.pools.readers, 3_600);
    expect(await kept(), 'another node makes tokens of two hours').toBe(1);

    await world.owner.query(`update latchkey.access_token_lifetimes
      set noted_at = noted_at - interval '5 hours' where ttl_seconds = 7200`);
    expect(await kept()).toBe(0);
  });

  it('stays while a token of a life that was configured until just now may live', async () => {
    await world.owner.query(`truncate latchkey.projection_watermarks`);
    await revoke(Date.now() - 65 * minuteMs);
    await noteAccessTokenTtl(world.pools.readers, 86_400);
    await noteAccessTokenTtl(world.pools.readers, 900);
    await world.owner.query(`update latchkey.access_token_lifetimes
      set noted_at = noted_at - interval '20 hours' where ttl_seconds = 86400`);
    expect(await kept()).toBe(1);
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

  it('makes new ones as wide as is configured', async () => {
    const world = await createJobWorld();
    const context = world.context(startedAt);
    const config = { ...context.config, worker: { partitionPositions: 5_000_000 } };
    await world.owner.query(`select setval('latchkey.event_pos', 20000001)`);
    await ensurePartitions.run({ ...context, config });
    const { rows } = await world.owner.query(
      'select (to_pos - from_pos)::int as width from latchkey.session_partitions order by from_pos',
    );
    expect(rows.map(({ width }) => width).at(-1)).toBe(5_000_000);
    expect(rows.map(({ width }) => width).at(-2)).toBe(20_000_000);
    await world.close();
  });

  // Fails when nobody hears of it before Postgres is out of shared memory, or every minute anew.
  it('warns of each partition beyond 500, once', async () => {
    const world = await createJobWorld();
    const warnings: object[] = [];
    const context = world.context(startedAt);
    const log = { ...context.log, warn: (fields: object) => warnings.push(fields) };
    const ensureAt = async (pos: number) => {
      await world.owner.query(`select setval('latchkey.event_pos', $1)`, [pos]);
      await ensurePartitions.run({ ...context, log });
    };
    await world.owner.query(`insert into latchkey.session_partitions
      select -2 * n, 1 - 2 * n, 'old_' || n from generate_series(1, 495) n`);
    await ensureAt(20_000_001);
    expect(warnings).toStrictEqual([]);
    await ensureAt(40_000_001);
    await ensureAt(40_000_002);
    expect(warnings).toStrictEqual([{ partitions: 501, partitions_max: 500 }]);
    expect((await context.metrics.logPartitions.get()).values[0]!.value).toBe(501);
    await world.close();
  });
});
