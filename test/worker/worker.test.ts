import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { installJobSchema } from '../../src/worker/job-schema.ts';
import { startWorker, type Worker } from '../../src/worker/worker.ts';
import { openBlackHoleProxy } from '../support/black-hole-proxy.ts';
import { silentLogger } from '../support/cluster.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';
import { registeredBy } from '../support/registered-metrics.ts';
import { eventually } from './eventually.ts';
import { createJobWorld, dayMs, type JobWorld, jobConfig, testKeyWrap } from './job-world.ts';

const startedAt = Date.now() - 8 * dayMs;

describe('the worker', () => {
  let world: JobWorld;
  let workers: Worker[];
  let errors: object[];
  beforeEach(async () => {
    world = await createJobWorld();
    workers = [];
    errors = [];
  });
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await world.close();
  });

  async function start(
    now: () => number = Date.now,
    databaseUrl = world.database.appUrl,
  ): Promise<Worker> {
    const worker = await startWorker({
      config: jobConfig,
      databaseUrl,
      keyWrap: testKeyWrap,
      log: { ...silentLogger, error: (fields) => errors.push(fields) },
      now,
      pollSeconds: 0.5,
    });
    workers.push(worker);
    return worker;
  }

  async function jobs(name: string): Promise<{ state: string }[]> {
    const { rows } = await world.pools.readers.query<{ state: string }>(
      'select state from pgboss_v12.job where name = $1',
      [name],
    );
    return rows;
  }
  const completed = (name: string) =>
    eventually(async () => (await jobs(name)).some(({ state }) => state === 'completed'));
  const expired = (sessionId: string) =>
    eventually(async () => (await world.eventTypes(sessionId)).includes('SessionExpired'));

  it('waits at its start for a database that does not answer yet', async () => {
    const network = await openBlackHoleProxy(world.database.appUrl);
    network.swallow(true);
    const starting = start(Date.now, network.url);
    await expect.poll(() => network.accepted, { timeout: 20_000 }).toBeGreaterThan(1);
    network.swallow(false);
    expect(await (await starting).readiness()).toMatchObject({ ready: true });
    await workers.pop()!.stop();
    await network.close();
  }, 30_000);

  it('runs every job once at its start, as a role that cannot change the schema', async () => {
    const session = await world.startSession(startedAt);
    await start();
    const names = [
      'sessions.expire',
      'revocations.prune',
      'revocation-epochs.prune',
      'dpop-proofs.prune',
      'sessions.prune',
      'partitions.ensure',
      'log.check',
      'erasures.keep',
      'rate-limits.prune',
    ];
    await Promise.all(names.map(completed));
    expect(await world.eventTypes(session)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    expect(errors).toStrictEqual([]);
    const { rows } = await world.owner.query(
      'select name, cron, timezone from pgboss_v12.schedule order by name',
    );
    expect(rows).toStrictEqual(
      [...names.map((name) => [name, '* * * * *']), ['log.check-whole', '17 3 * * *']]
        .sort()
        .map(([name, cron]) => ({ name, cron, timezone: 'UTC' })),
    );
  });

  // Fails when a job of an earlier release is queued for ever, for nobody; or when a worker of an
  // older release, which starts again beside newer ones, ends what only those have.
  it('ends the schedules of retired jobs, and none that it does not know', async () => {
    await start();
    for (const name of ['keys.remove', 'jobs.of-a-newer-release']) {
      await world.owner.query(`select pgboss_v12.create_queue($1, '{"policy":"exclusive"}')`, [
        name,
      ]);
      await world.owner.query(
        `insert into pgboss_v12.schedule (name, cron, timezone, data, options, key)
          select $1, cron, timezone, data, options, ''
            from pgboss_v12.schedule where name = 'sessions.prune'`,
        [name],
      );
    }
    await start();
    const { rows } = await world.owner.query('select distinct name from pgboss_v12.schedule');
    expect(rows).not.toContainEqual({ name: 'keys.remove' });
    expect(rows).toContainEqual({ name: 'jobs.of-a-newer-release' });
    expect(rows).toHaveLength(11);
  });

  it('demands room for the connection of the read model when it has a Redis', async () => {
    await world.owner.query(`alter database ${world.database.name} connection limit 8`);
    const said = (redisUrl?: string) =>
      startWorker({
        ...{ config: jobConfig, databaseUrl: world.database.appUrl, keyWrap: testKeyWrap },
        ...{ log: silentLogger, ...(redisUrl === undefined ? {} : { redisUrl }) },
      }).then(
        () => 'started',
        (error: Error) => error.message,
      );
    expect(await said()).toMatch(/this process may open 8\./);
    expect(await said('redis://127.0.0.1:1')).toMatch(/this process may open 9\./);
  });

  // Fails when a worker exports a lease, a login or a request: it has none.
  it('exports its own metrics and those of the log, and no other', async () => {
    const { registry } = (await start()).metrics;
    const exported = registry.getMetricsAsArray().map(({ name }) => name);
    const parts = registeredBy('worker', 'eventlog').map(({ name }) => name);
    expect(exported.toSorted()).toEqual(parts.toSorted());
  });

  // Fails when the worker's writer has no observer.
  it('counts what it appends itself', async () => {
    const session = await world.startSession(startedAt);
    const { registry } = (await start()).metrics;
    await expired(session);
    await eventually(async () => /^latchkey_appends_total 1$/m.test(await registry.metrics()));
    expect(await registry.metrics()).toContain('latchkey_append_events_total{kind="session"} 1');
  });

  // Fails when a queue is not exclusive: each worker's start would enqueue a job of its own.
  it('shares the jobs with other workers', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 30 }, () => world.startSession(startedAt)),
    );
    await Promise.all([start(), start()]);
    await Promise.all(sessions.map(expired));
    for (const session of sessions) {
      expect(await world.eventTypes(session)).toStrictEqual(['SessionStarted', 'SessionExpired']);
    }
    const { rows } = await world.owner.query(
      `select name, policy from pgboss_v12.queue where name not in ('jobs.failed', '__pgboss__send-it')`,
    );
    expect(rows).toHaveLength(10);
    expect(rows.every(({ policy }) => policy === 'exclusive')).toBe(true);
  });

  // Fails when a job trusts the clock of its machine: it would expire the session two hours early.
  it('F13: runs no job while its clock differs from the database’s, and says so', async () => {
    const session = await world.startSession(Date.now() - 7 * dayMs + 3_600_000);
    await start(() => Date.now() + 2 * 3_600_000);
    await eventually(async () =>
      (await jobs('sessions.expire')).some(({ state }) => state === 'retry'),
    );
    expect(await world.eventTypes(session)).toStrictEqual(['SessionStarted']);
    expect(errors).toContainEqual({
      err: expect.objectContaining({
        message: expect.stringContaining("7200 s ahead of the database's: set both by NTP"),
      }),
      job: 'sessions.expire',
    });
  });

  // Fails when `stop` does not wait for the job under way: its append would be cut.
  it('drains: the job under way ends before the worker does', async () => {
    const session = await world.startSession(startedAt);
    await world.owner.query('begin');
    await world.owner.query('select 1 from latchkey.streams where stream_id = $1 for update', [
      session,
    ]);
    const worker = await start();
    await eventually(async () => {
      const { rowCount } = await world.pools.readers.query(
        `select from pg_stat_activity where datname = current_database()
          and application_name = 'latchkey worker writer' and query like '%latchkey.append%'`,
      );
      return rowCount! > 0;
    });
    const stopped = worker.stop();
    await world.owner.query('commit');
    await stopped;
    expect(await jobs('sessions.expire')).toMatchObject([{ state: 'completed' }]);
    expect(await world.eventTypes(session)).toStrictEqual(['SessionStarted', 'SessionExpired']);
  });

  it('tries a failed job again, and reports it', async () => {
    const session = await world.startSession(startedAt);
    await world.owner.query('set session_replication_role = replica');
    await world.owner.query('update latchkey.streams set version = 7 where stream_id = $1', [
      session,
    ]);
    const worker = await start();
    await eventually(async () => (await jobs('log.check')).some(({ state }) => state === 'retry'));
    expect(errors).toContainEqual({
      finding: expect.objectContaining({ problem: 'head', stream_id: session }),
    });
    const { values } = await worker.metrics.logCheckFindings.get();
    expect(values).toMatchObject([{ labels: { scope: 'new' }, value: 1 }]);
    const { rows } = await world.owner.query(
      `select dead_letter, retry_limit, retry_backoff, deletion_seconds from pgboss_v12.queue where name = 'log.check'`,
    );
    expect(rows).toStrictEqual([
      { dead_letter: 'jobs.failed', retry_limit: 3, retry_backoff: true, deletion_seconds: 300 },
    ]);
  });

  it('keeps finished jobs for minutes, failed ones for a day', async () => {
    await start();
    const { rows } = await world.owner.query(
      'select name from pgboss_v12.queue where deletion_seconds > 300',
    );
    expect(rows).toStrictEqual([{ name: 'jobs.failed' }]);
  });

  // Fails when the queue has no error listener: the event would end this process.
  it('survives the loss of its connections', async () => {
    await start();
    await completed('sessions.expire');
    await world.owner.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name like 'latchkey worker%'`,
    );
    const session = await world.startSession(startedAt);
    await world.owner.query(
      `insert into pgboss_v12.job (name, policy) values ('sessions.expire', 'exclusive')`,
    );
    await expired(session);
  });
});

describe('the job tables', () => {
  it('are installed once, however often', async () => {
    const world = await createJobWorld();
    await installJobSchema(world.owner, 'latchkey_app');
    const app = world.pools.readers;
    await expect(app.query('create table pgboss_v12.mine ()')).rejects.toThrow(/permission denied/);
    await expect(app.query('drop table pgboss_v12.schedule')).rejects.toThrow(/must be owner/);
    await world.close();
  });

  it('must be there before a worker starts', async () => {
    const database = await createTestDatabase();
    await withClient(database.ownerUrl, (client) =>
      client.query('drop schema if exists pgboss_v12 cascade'),
    );
    await expect(
      startWorker({
        config: jobConfig,
        databaseUrl: database.appUrl,
        keyWrap: testKeyWrap,
        log: silentLogger,
      }),
    ).rejects.toThrow(/latchkey migrate/);
    await database.drop();
  });
});
