import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { logIn } from '../src/app/session/log-in.ts';
import { LatchkeyError } from '../src/domain/kernel/errors.ts';
import type { Node } from '../src/node/node.ts';
import { startJobs, untilJobsAreDone } from './churn/jobs.ts';
import { byPerson, inParallel, loginOf, startBenchNode } from './support/bench-node.ts';
import { openClient, startBenchPostgres } from './support/bench-postgres.ts';
import { fill } from './support/fill.ts';
import { type LockWaits, watchLockWaits } from './support/lock-waits.ts';
import { benchCommand, today } from './support/report-head.ts';

// `npx node bench/backlog.ts --sessions 1000000`: a worker that was away for a week ends all
// sessions
// that have expired meanwhile, while people log in as fast as they are answered. The same load runs
// before it, without the worker. The password hash is free.

const { values: flags } = parseArgs({
  options: {
    sessions: { type: 'string', default: '20000' },
    callers: { type: 'string', default: '16' },
    seconds: { type: 'string', default: '30' },
    write: { type: 'boolean', default: false },
  },
});
const sessionsWanted = Number(flags.sessions);
const callers = Number(flags.callers);
const seconds = Number(flags.seconds);
// Of these, web has an absolute life of seven days. The others are over for having been idle.
const devices = ['web', 'mobile', 'desktop', 'tablet', 'iot'] as const;
const people = Math.ceil(sessionsWanted / devices.length);
const dayMs = 86_400_000;

interface Load {
  readonly seconds: number;
  readonly logins: number;
  readonly unavailable: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

/** Logins of random people by so many callers, until `over` resolves. */
async function runLoad(node: Node, over: Promise<unknown>): Promise<Load> {
  const latencies: number[] = [];
  let unavailable = 0;
  let isOver = false;
  const ended = over.finally(() => {
    isOver = true;
  });
  const begun = performance.now();
  const caller = async () => {
    while (!isOver) {
      const person = Math.floor(Math.random() * people);
      const device = { type: 'web', name: 'a browser' } as const;
      const from = performance.now();
      try {
        await logIn(node, { ...loginOf(person), device, deviceToken: null }, byPerson(person));
        latencies.push(performance.now() - from);
      } catch (error) {
        if (!(error instanceof LatchkeyError) || error.code !== 'unavailable') {
          isOver = true;
          throw error;
        }
        unavailable += 1;
      }
    }
  };
  await Promise.all([ended, inParallel(callers, callers, caller)]);
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  const took = (performance.now() - begun) / 1000;
  const worst = sorted.at(-1) ?? Number.NaN;
  return { seconds: took, logins: sorted.length, unavailable, p50: at(0.5), p99: at(0.99), worst };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(): Promise<void> {
  const loadBefore = loadavg()[0]!;
  await using opened = new AsyncDisposableStack();
  const postgres = opened.adopt(await startBenchPostgres(), (server) => server.remove());
  const owner = await openClient(opened, postgres.ownerUrl);
  const { node } = await startBenchNode(opened, { databaseUrl: postgres.appUrl });
  const startedAt = Date.now() - 8 * dayMs;
  await fill(node, postgres.appUrl, { users: people, devices, startedAt });
  await owner.query('vacuum (analyze)');
  await owner.query('checkpoint');
  const without = await runLoad(node, wait(seconds * 1000));
  const before = await liveAndOld(owner);
  const watch = await watchLockWaits(opened, postgres.ownerUrl);
  const jobs = await startJobs(opened, {
    appUrl: postgres.appUrl,
    now: Date.now,
    sessions: { idleSeconds: 7 * 86_400, retentionSeconds: 30 * 86_400 },
    lifetimes: {},
    partitionPositions: 20_000_000,
  });
  const beside = await runLoad(node, untilNoneIsLeft(owner, jobs.send));
  const waits = await watch.stop();
  const deadLetters = await untilJobsAreDone(owner);
  const { failed } = await jobs.runs();
  const errors = jobs.errors.length;
  const report = reportOf({
    ...{ before, without, beside, waits },
    ...{ deadLetters, failed, errors, loadBefore },
  });
  console.info(report);
  if (flags.write) writeFileSync(path.join(import.meta.dirname, 'results', 'backlog.md'), report);
}

async function liveAndOld(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query(
    `select count(*)::int as count from latchkey.sessions
      where status = 'live' and refreshed_at < now() - interval '7 days'`,
  );
  return rows[0].count;
}

/** A run ends after some minutes; in a service the next one begins within the minute. */
async function untilNoneIsLeft(owner: pg.Client, send: () => Promise<void>): Promise<void> {
  for (;;) {
    const left = await liveAndOld(owner);
    if (left === 0) return;
    console.info(`${left} left`);
    await send();
    await wait(5_000);
  }
}

interface Result {
  readonly before: number;
  readonly without: Load;
  readonly beside: Load;
  readonly waits: LockWaits;
  readonly deadLetters: number;
  readonly failed: number;
  readonly errors: number;
  readonly loadBefore: number;
}

function reportOf(result: Result): string {
  const { before, without, beside, waits, deadLetters, failed, errors, loadBefore } = result;
  const row = (name: string, { logins, seconds: took, p50, p99, worst, unavailable }: Load) =>
    `| ${[name, (logins / took).toFixed(0), p50.toFixed(1), p99.toFixed(1)].join(' | ')} ` +
    `| ${worst.toFixed(0)} | ${unavailable} |`;
  return `# A backlog of expired sessions

\`${benchCommand('backlog')}\` of ${today()}, Node ${process.version},
${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), shared by the service, the worker and
Postgres. Load when it began: ${loadBefore.toFixed(1)} processes (1-minute average).

${people} people have five sessions each that began eight days ago. A fifth of them are past their
absolute life, the others were idle
for longer than is configured here (7 days). ${callers} callers log in as random people, as fast as
they are answered: first for ${seconds} s alone, then
while a worker ends what has expired. A login ends the old web session of its person too, so the
worker met ${before} of them.

| | logins/s | p50 ms | p99 ms | slowest ms | 503 |
|---|---|---|---|---|---|
${row('logins alone', without)}
${row('beside the worker', beside)}

The worker was through after ${beside.seconds.toFixed(0)} s:
${(before / beside.seconds).toFixed(0)} sessions a second, each with an event of its own. Longest
lock wait
${waits.longestMs.toFixed(0)} ms in ${waits.looks} looks (${waits.longest}). ${deadLetters} dead
letters, ${failed} failed runs, ${errors} lines of warnings or errors.
`;
}

await main();
