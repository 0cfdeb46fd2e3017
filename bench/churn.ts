import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { startJobs, untilJobsAreDone } from './churn/jobs.ts';
import { People } from './churn/people.ts';
import { churnReport } from './churn/report.ts';
import { inParallel, registerPerson, startBenchNode } from './support/bench-node.ts';
import { type BenchPostgres, openClient, startBenchPostgres } from './support/bench-postgres.ts';
import { watchLockWaits } from './support/lock-waits.ts';
import { simulateClock } from './support/simulated-clock.ts';
import { measureTables, updatesOf } from './support/table-statistics.ts';

// `npx node bench/churn.ts --logins 1000000`: a week of a service, as fast as this machine goes.
// Logins,
// refreshes and logouts are the use cases of src/app on a real Postgres, the jobs run in a real
// worker.
// The clock of both, and of the database, is moved on twenty minutes at a time; the password hash
// is free.

const { values: flags } = parseArgs({
  options: {
    logins: { type: 'string', default: '20000' },
    'refreshes-per-login': { type: 'string', default: '0.5' },
    callers: { type: 'string', default: '100' },
    write: { type: 'boolean', default: false },
  },
});
const logins = Number(flags.logins);
const refreshesPerLogin = Number(flags['refreshes-per-login']);
const logoutsPerLogin = 0.25;
const callers = Number(flags.callers);
const people = Math.max(100, Math.round(logins / 20));
const day = 86_400;
const stepMs = 1_200_000;
const steps = (7 * day * 1000) / stepMs;
const settings = {
  idleSeconds: day,
  retentionSeconds: day,
  sessionTtlSeconds: 2 * day,
  partitionPositions: Math.max(20_000, Math.round(logins / 2)),
};

/** More by day than by night, from noon to noon; 1 on average. */
const dayAndNight = (step: number) =>
  1 + 0.7 * Math.cos((2 * Math.PI * step * stepMs) / (day * 1000));

async function main(): Promise<void> {
  const loadBefore = loadavg()[0]!;
  await using opened = new AsyncDisposableStack();
  const postgres = opened.adopt(await startBenchPostgres({ autovacuum_naptime: '1s' }), (server) =>
    server.remove(),
  );
  const owner = await openClient(opened, postgres.ownerUrl);
  // As if the log were older: the head meets the end of its partition in this week, and more than
  // once.
  const { rows } = await owner.query('select max(to_pos) as end from latchkey.session_partitions');
  await owner.query(`select setval('latchkey.event_pos', $1)`, [
    Number(rows[0].end) - settings.partitionPositions,
  ]);
  // A backend tells what it has updated at the latest when it ends, so all others end first.
  const week = await runWeek(postgres, owner);
  const tables = ['sessions', 'revocations', 'streams', 'users', 'device_tokens'];
  const result = {
    ...{ logins, people, callers, refreshesPerLogin, loadBefore, settings },
    ...week,
    sizes: await measureTables(owner, tables),
    updates: {
      sessions: await updatesOf(owner, 'sessions'),
      streams: await updatesOf(owner, 'streams'),
    },
    log: await logFigures(owner),
  };
  const report = churnReport(result, `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'})`);
  console.info(report);
  for (const failure of week.failures) console.error(failure);
  if (week.failures.length > 0) process.exitCode = 1;
  if (flags.write) {
    writeFileSync(path.join(import.meta.dirname, 'results', 'churn.md'), report);
  }
}

/** Starts the service and its worker, lives through the week and ends both. */
async function runWeek({ ownerUrl, appUrl }: BenchPostgres, owner: pg.Client) {
  await using opened = new AsyncDisposableStack();
  const startAt = Date.now() - 7 * day * 1000 - 3_600_000;
  const clock = await simulateClock(opened, ownerUrl, startAt);
  const { node } = await startBenchNode(opened, {
    databaseUrl: appUrl,
    now: clock.now,
    env: {
      POOL_READERS: '8',
      SESSION_IDLE_SECONDS: String(settings.idleSeconds),
      SESSION_RETENTION_SECONDS: String(settings.retentionSeconds),
      REFRESH_TOKEN_EXPIRY_MS: String(settings.sessionTtlSeconds * 1000),
    },
  });
  const jobs = await startJobs(opened, {
    appUrl,
    now: clock.now,
    sessions: settings,
    lifetimes: { refreshTokenExpiryMs: settings.sessionTtlSeconds * 1000 },
    partitionPositions: settings.partitionPositions,
  });
  await inParallel(people, callers, (index) => registerPerson(node, index));
  console.info(`${people} people registered`);
  const watch = await watchLockWaits(opened, ownerUrl);
  const crowd = new People(node, people);
  const begun = performance.now();
  for (let step = 0; step < steps; step += 1) {
    await clock.moveTo(startAt + step * stepMs);
    await jobs.send();
    await runStep(crowd, step);
    if ((step + 1) % 36 === 0) await progress(owner, step, begun);
  }
  const seconds = (performance.now() - begun) / 1000;
  await clock.moveTo(startAt + steps * stepMs);
  await jobs.send();
  const deadLetters = await untilJobsAreDone(owner);
  const waits = await watch.stop();
  const runs = await jobs.runs();
  const { outcomes, failures } = crowd;
  return { seconds, deadLetters, waits, runs, outcomes, failures, jobErrors: jobs.errors };
}

/** Twenty minutes of the week: its share of the week's logins, and what belongs to them, in any
order. */
async function runStep(crowd: People, step: number): Promise<void> {
  const share = (logins / steps) * dayAndNight(step);
  const acts = [
    ...Array.from({ length: whole(share) }, () => 'login' as const),
    ...Array.from({ length: whole(share * refreshesPerLogin) }, () => 'refresh' as const),
    ...Array.from({ length: whole(share * logoutsPerLogin) }, () => 'logout' as const),
  ];
  for (let from = acts.length - 1; from > 0; from -= 1) {
    const other = Math.floor(Math.random() * (from + 1));
    [acts[from], acts[other]] = [acts[other]!, acts[from]!];
  }
  await inParallel(acts.length, callers, (index) => crowd.act(acts[index]!));
}

/** So that fractions of a step add up over the week. */
const whole = (share: number) => Math.floor(share) + (Math.random() < share % 1 ? 1 : 0);

async function progress(owner: pg.Client, step: number, begun: number): Promise<void> {
  const { rows } = await owner.query(`select
    (select count(*)::int from latchkey.sessions where status = 'live') as live,
    (select count(*)::int from latchkey.sessions where status = 'ended') as ended,
    (select count(*)::int from latchkey.revocations) as revocations,
    pg_size_pretty(pg_total_relation_size('latchkey.sessions')) as size`);
  const hours = ((step + 1) * stepMs) / 3_600_000;
  const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
  console.info(`${hours} h after ${minutes} min`, JSON.stringify(rows[0]));
}

async function logFigures(owner: pg.Client) {
  const { rows } = await owner.query(`select type, count(*)::int as count from latchkey.events
    group by type order by count desc`);
  const { rows: partitions } = await owner.query(
    'select count(*)::int as count from latchkey.session_partitions',
  );
  const { rows: jobRows } = await owner.query('select count(*)::int as count from pgboss_v12.job');
  return {
    events: Object.fromEntries(rows.map(({ type, count }) => [type, count])) as Record<
      string,
      number
    >,
    partitions: partitions[0].count as number,
    jobRows: jobRows[0].count as number,
  };
}

await main();
