import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext } from '../../src/worker/job.ts';
import { openJobQueues } from '../../src/worker/job-queues.ts';
import { jobSchemaName } from '../../src/worker/job-schema.ts';
import { allJobs } from '../../src/worker/jobs/all.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { silentLogger } from '../support/cluster.ts';
import { eventually } from './eventually.ts';
import { createJobWorld, dayMs, type JobWorld, jobConfig, testKeyWrap } from './job-world.ts';

const hourMs = 3_600_000;
const startedAt = Date.now() - 10 * dayMs;

describe('a job that several workers run at once, and again', () => {
  let world: JobWorld;
  let context: JobContext;
  beforeAll(async () => {
    world = await createJobWorld();
    const config = { ...jobConfig, sessions: { idleSeconds: 3_600, retentionSeconds: 86_400 } };
    context = world.context(Date.now(), { config });
    await Promise.all(
      Array.from({ length: 120 }, async (_, n) => {
        const session = await world.startSession(startedAt + n * hourMs);
        const command = { type: 'RevokeSession', reason: 'logout' } as const;
        if (n % 3 !== 0) return;
        await world.changeSession(session, { ...command, now: startedAt + (n + 1) * hourMs });
      }),
    );
    await world.owner.query(`select setval('latchkey.event_pos', 20000001, false)`);
    await world.owner.query(`insert into latchkey.dpop_proofs
      select 'proof-' || n, now() + (n - 2500) * interval '1 hour'
        from generate_series(1, 2600) n`);
    await world.owner.query(`insert into latchkey.rate_limits
      select 'count-' || n, 1, extract(epoch from now()) * 1000 + (n::bigint - 2500) * 3600000
        from generate_series(1, 2600) n`);
  });
  afterAll(() => world.close());

  /** All that jobs write, as text. */
  async function everything(): Promise<string[]> {
    const { rows } = await world.owner.query(`
      select s::text as row from latchkey.sessions s
      union all select r::text from latchkey.revocations r
      union all select st::text from latchkey.streams st
      union all select p::text from latchkey.session_partitions p
      union all select d::text from latchkey.dpop_proofs d
      union all select l::text from latchkey.rate_limits l
      union all select e.stream_id || e.type || e.version from latchkey.events e
      order by 1`);
    return rows.map(({ row }) => row as string);
  }

  // Fails when a job appends, deletes or makes what another run of it has appended, deleted or
  // made; a deadlock fails too.
  it.each(allJobs().map(({ name }) => name))('%s leaves the same as one run', async (name) => {
    // Each worker has jobs of its own: some remember where they stopped.
    const run = () =>
      allJobs()
        .find((job) => job.name === name)!
        .run(context);
    const before = await everything();
    await Promise.all([1, 2, 3].map(run));
    const after = await everything();
    await run();
    expect(await everything()).toEqual(after);
    // The last of these writes a file.
    if (!/check|epochs|erasures/.test(name)) expect(after).not.toEqual(before);
  });

  it('ended each session once', async () => {
    const { rows } = await world.owner.query(
      `select count(*)::int as ends, count(distinct stream_id)::int as sessions
        from latchkey.events where type in ('SessionExpired', 'SessionRevoked')`,
    );
    expect(rows).toEqual([{ ends: 120, sessions: 120 }]);
  });
});

// Fails when the application role may not delete them, or a queue keeps the library's seven days.
it('rows of finished jobs go after five minutes, and those of failed ones stay', async () => {
  const world = await createJobWorld();
  const worker = await startWorker({
    config: jobConfig,
    databaseUrl: world.database.appUrl,
    keyWrap: testKeyWrap,
    log: silentLogger,
    pollSeconds: 0.5,
  });
  const count = async (where: string) =>
    (await world.owner.query(`select count(*)::int as n from ${jobSchemaName}.job where ${where}`))
      .rows[0].n as number;
  await eventually(async () => (await count(`state = 'completed'`)) >= 6);
  await worker.stop();
  const boss = await openJobQueues(world.database.appUrl);
  await boss.send('jobs.failed', {});
  const agedBy = (time: string) =>
    world.owner.query(`update ${jobSchemaName}.job set created_on = created_on - interval '${time}',
      completed_on = completed_on - interval '${time}',
      keep_until = keep_until - interval '${time}';
      update ${jobSchemaName}.queue set maintain_on = null, monitor_on = null`);
  await agedBy('6 minutes');
  await boss.supervise();
  expect(await count(`state = 'completed'`)).toBe(0);
  expect(await count(`name = 'jobs.failed'`)).toBe(1);
  await agedBy('7 days');
  await boss.supervise();
  expect(await count(`name = 'jobs.failed'`)).toBe(0);
  await boss.stop({ graceful: false });
  await world.close();
});
