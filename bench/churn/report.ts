import type { LockWaits } from '../support/lock-waits.ts';
import { benchCommand, today } from '../support/report-head.ts';
import type { TableSize, Updates } from '../support/table-statistics.ts';

export interface ChurnResult {
  readonly logins: number;
  readonly people: number;
  readonly callers: number;
  readonly refreshesPerLogin: number;
  readonly seconds: number;
  readonly loadBefore: number;
  readonly settings: {
    readonly idleSeconds: number;
    readonly retentionSeconds: number;
    readonly sessionTtlSeconds: number;
    readonly partitionPositions: number;
  };
  readonly deadLetters: number;
  readonly waits: LockWaits;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: readonly unknown[];
  readonly runs: { readonly completed: number; readonly failed: number };
  readonly jobErrors: readonly object[];
  readonly sizes: readonly TableSize[];
  readonly updates: { readonly sessions: Updates; readonly streams: Updates };
  readonly log: {
    readonly events: Readonly<Record<string, number>>;
    readonly partitions: number;
    readonly jobRows: number;
  };
}

const hours = (seconds: number) => `${seconds / 3_600} h`;
const kilobytes = (bytes: number) => (bytes / 1024).toFixed(0);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

export function churnReport(result: ChurnResult, machine: string): string {
  const { logins, people, seconds, settings, outcomes, log, runs, waits, jobErrors } = result;
  const rate = (count: number) => (count / seconds).toFixed(0);
  const firstErrors = `The worker logged: ${JSON.stringify(jobErrors.slice(0, 5))}`;
  const done = (act: string) => outcomes[`${act}: done`] ?? 0;
  const answered = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  return `# A week of churn

\`${benchCommand('churn')}\` of ${today()}, Node ${process.version}, ${machine}, shared by
the service, its worker and Postgres. Load when it began: ${result.loadBefore.toFixed(1)} processes
(1-minute average).

## Method
- ${people} people log in ${logins} times in a simulated week, more by day than by night, from six
  types of device under the
  default policies. Every command is the use case of \`src/app\`, with ${result.callers} callers;
  personal data is encrypted and
  access tokens are signed (ES256). Two things are replaced: the clock, and the password hash,
  which is free.
- The clock of the service, of the worker and of the database is one. It is moved on twenty minutes
  at a time, and in between it
  goes on: \`clock_timestamp()\` is found in a schema that the application role searches first
  (\`bench/support/simulated-clock.ts\`), so \`recorded_at\` and the watermarks of pruning are of
  the same week.
- The worker is a real one with pg-boss; every job of the minute is sent at each step. A session
  ends ${hours(settings.sessionTtlSeconds)} after its login or
  ${hours(settings.idleSeconds)} after its last refresh, its row goes
  ${hours(settings.retentionSeconds)} later; both are shorter than by default, so that the week
  sees all of it.
- Autovacuum keeps to real time. Its \`autovacuum_naptime\` is the shortest, 1 s instead of 1 min,
  which is ${((7 * 24 * 60) / seconds).toFixed(0)} minutes of
  this week: dead rows still lie about longer than in life. Every other setting is Postgres'
  default or of the migrations.

## Figures
| Figure | Measured | Target |
|---|---|---|
| internal errors | ${result.failures.length} | 0 |
| dead letters | ${result.deadLetters}; ${runs.completed} runs good, ${runs.failed} failed | 0 |
| longest lock wait | ${waits.longestMs.toFixed(0)} ms, in ${waits.looks} looks | < 200 ms |
| HOT share of the updates that end no session | ${hotShares(result)} | >= 95 % |
| commands per second | ${rate(answered)}, of them ${rate(done('login'))} logins | – |

The longest wait: ${result.waits.longest}. A session that ends leaves two partial indexes and
enters a third, so that update is never HOT; of all updates on sessions, ends included,
${percent(result.updates.sessions.hot / result.updates.sessions.all)} were.

| Table after pruning | Rows | kB | kB of the same rows in a new table | Ratio (<= 1.5) |
|---|---|---|---|---|
${result.sizes.map(sizeLine).join('\n')}

\`streams\` holds a row for each stream of the log, which is never pruned. The other table is made
with the same indexes and fillfactor, is filled in the order of this one and vacuumed once;
of those measured, none was vacuumed by hand.

| kB here and in the new table | Rows | Indexes | Maps, long values | Dead rows | Free kB |
|---|---|---|---|---|---|
${result.sizes.map(partsLine).join('\n')}

## What happened
${Object.entries(log.events)
  .map(([type, count]) => `${count} ${type}`)
  .join(', ')}. Answers: ${Object.entries(outcomes)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')}. The log came to ${log.partitions} partitions of session events, the newest
of ${settings.partitionPositions} positions; ${log.jobRows} rows of jobs were left.
${seconds.toFixed(0)} s in all.
${jobErrors.length === 0 ? 'The worker logged no warning and no error.' : firstErrors}
`;
}

/** Ends are never HOT: they move a session from one partial index to another. */
function hotShares({ updates, log }: ChurnResult): string {
  const ends = (log.events.SessionRevoked ?? 0) + (log.events.SessionExpired ?? 0);
  const { sessions, streams } = updates;
  const ofSessions = percent(sessions.hot / (sessions.all - ends));
  return `sessions ${ofSessions}, streams ${percent(streams.hot / streams.all)}`;
}

function sizeLine({ table, rows, bytes, fresh }: TableSize): string {
  const ratio = (bytes.all / fresh.all).toFixed(2);
  return `| ${table} | ${rows} | ${kilobytes(bytes.all)} | ${kilobytes(fresh.all)} | ${ratio} |`;
}

function partsLine({ table, bytes, fresh, dead, free }: TableSize): string {
  const parts = (['rows', 'indexes', 'rest'] as const).map(
    (part) => `${kilobytes(bytes[part])} / ${kilobytes(fresh[part])}`,
  );
  return `| ${[table, ...parts, dead, kilobytes(free)].join(' | ')} |`;
}
