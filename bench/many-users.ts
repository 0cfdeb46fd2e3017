import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { logIn } from '../src/app/session/log-in.ts';
import { refreshSession } from '../src/app/session/refresh-session.ts';
import { revokeSession } from '../src/app/session/revoke-session.ts';
import type { Node } from '../src/node/node.ts';
import { byPerson, loginOf, partsOf, refreshOf, startBenchNode } from './support/bench-node.ts';
import { median, openClient, startBenchPostgres } from './support/bench-postgres.ts';
import { fill } from './support/fill.ts';
import { benchCommand, today } from './support/report-head.ts';
import { type Updates, updatesOf } from './support/table-statistics.ts';

// `npx node bench/many-users.ts`: what a login, a refresh, a logout and the look-up of a session
// key cost where there are 100,000 users with five sessions each, against 1,000 users with five
// each. Both services run; they take turns in short rounds, and each round takes other users. The
// password hash is free: it would hide the rest.

const { values: flags } = parseArgs({
  options: {
    users: { type: 'string', default: '100000' },
    against: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '15' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds);
const perRound = 60;
const lookUpsPerRound = 600;
const types = ['web', 'mobile', 'desktop', 'tablet', 'iot'] as const;
const acts = ['login', 'refresh', 'logout', 'key look-up'] as const;
type Act = (typeof acts)[number];

interface Side {
  readonly users: number;
  readonly node: Node;
  readonly owner: pg.Client;
  readonly fillSeconds: number;
  /** Of sessions from all over the table; some may have ended since. */
  readonly kids: readonly string[];
  readonly samples: Record<Act, number[]>;
  /** While it was filled, which is not what is measured. */
  readonly updatesBefore: Record<string, Updates>;
}

/** It runs until `opened` is closed. */
async function filled(opened: AsyncDisposableStack, users: number): Promise<Side> {
  const postgres = opened.adopt(await startBenchPostgres(), (server) => server.remove());
  const kids: string[] = [];
  const fillSeconds = await secondsToFill(postgres.appUrl, users, kids);
  const owner = await openClient(opened, postgres.ownerUrl);
  await owner.query('vacuum (analyze)');
  await owner.query('checkpoint');
  const { node } = await startBenchNode(opened, { databaseUrl: postgres.appUrl });
  return {
    ...{ users, node, owner, fillSeconds, kids },
    samples: { login: [], refresh: [], logout: [], 'key look-up': [] },
    updatesBefore: await updates(owner),
  };
}

async function secondsToFill(databaseUrl: string, users: number, kids: string[]): Promise<number> {
  await using opened = new AsyncDisposableStack();
  const { node } = await startBenchNode(opened, { databaseUrl });
  const begun = performance.now();
  const onKid = (kid: string) => void kids.push(kid);
  await fill(node, databaseUrl, { users, devices: types, startedAt: Date.now(), onKid });
  return (performance.now() - begun) / 1000;
}

async function updates(owner: pg.Client): Promise<Record<string, Updates>> {
  return {
    streams: await updatesOf(owner, 'streams'),
    sessions: await updatesOf(owner, 'sessions'),
  };
}

function logInOn(node: Node, index: number, type: (typeof types)[number]) {
  const device = { type, name: `${type} of somebody` };
  return logIn(node, { ...loginOf(index), device, deviceToken: null }, byPerson(index));
}

/**
 * Logins of users from all over the table, each of which supersedes one of five sessions; then ten
 * refreshes and the end of the new session. One after the other: a latency, not a throughput.
 */
async function runRound(side: Side, round: number, keep: boolean): Promise<void> {
  const { node, users, samples } = side;
  const times: Record<Act, number[]> = { login: [], refresh: [], logout: [], 'key look-up': [] };
  const timed = async <T>(act: Act, work: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const result = await work();
    times[act].push(performance.now() - begun);
    return result;
  };
  const stride = Math.max(1, Math.floor(users / perRound));
  for (let n = 0; n < perRound; n += 1) {
    const index = (n * stride + round) % users;
    const by = byPerson(index);
    const issued = await timed('login', () => logInOn(node, index, types[round % 5]!));
    let refreshToken = issued.refreshToken!;
    for (let refresh = 0; refresh < 10; refresh += 1) {
      const input = refreshOf(node, refreshToken);
      refreshToken = (await timed('refresh', () => refreshSession(node, input, by))).refreshToken!;
    }
    const { sessionId } = partsOf(node, refreshToken);
    await timed('logout', () => revokeSession(node, { sessionId, reason: 'logout' }, by));
  }
  // By the one statement behind a key that this node has not met.
  const { sessionsByKid } = node.cells.home;
  const everyNth = Math.floor(side.kids.length / lookUpsPerRound);
  for (let n = 0; n < lookUpsPerRound; n += 1) {
    const kid = side.kids[(n * everyNth + round) % side.kids.length]!;
    const begun = performance.now();
    const session = await sessionsByKid.find(kid);
    // Of a session that has ended no row comes over the wire.
    if (session !== null) times['key look-up'].push(performance.now() - begun);
  }
  if (keep) for (const act of acts) samples[act].push(median(times[act]));
}

async function main(): Promise<void> {
  const loadBefore = loadavg()[0]!;
  await using opened = new AsyncDisposableStack();
  const few = await filled(opened, Number(flags.against));
  const many = await filled(opened, Number(flags.users));
  for (let round = 0; round < rounds + 2; round += 1) {
    const sides = round % 2 === 0 ? [few, many] : [many, few];
    // The first rounds warm caches and plans.
    for (const side of sides) await runRound(side, round, round >= 2);
  }
  const ratios = acts.map((act) => {
    const perRoundRatios = many.samples[act].map((ms, n) => ms / few.samples[act][n]!);
    return { act, ratio: median(perRoundRatios) };
  });
  // A backend tells what it has updated within ten seconds of falling idle.
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  const hot = { few: await hotShares(few), many: await hotShares(many) };
  const report = reportOf({ few, many, ratios, hot, loadBefore });
  console.info(report);
  if (flags.write) {
    writeFileSync(path.join(import.meta.dirname, 'results', 'many-users.md'), report);
  }
}

/** Of the updates that end no session. */
async function hotShares({ owner, updatesBefore }: Side): Promise<Record<string, number>> {
  const after = await updates(owner);
  const { rows } = await owner.query(
    `select count(*)::int as ends from latchkey.events where type = 'SessionRevoked'`,
  );
  const share = (table: string, others: number) => {
    const [before, now] = [updatesBefore[table]!, after[table]!];
    return (now.hot - before.hot) / (now.all - before.all - others);
  };
  return { streams: share('streams', 0), sessions: share('sessions', rows[0].ends) };
}

interface Result {
  readonly few: Side;
  readonly many: Side;
  readonly ratios: readonly { readonly act: Act; readonly ratio: number }[];
  readonly hot: { readonly few: Record<string, number>; readonly many: Record<string, number> };
  readonly loadBefore: number;
}

function reportOf({ few, many, ratios, hot, loadBefore }: Result): string {
  const ms = (side: Side, act: Act) => median(side.samples[act]).toFixed(2);
  const percent = (share: number | undefined) => `${((share ?? Number.NaN) * 100).toFixed(1)} %`;
  const rows = ratios.map(
    ({ act, ratio }) =>
      `| ${act} | ${ms(many, act)} | ${ms(few, act)} | ${ratio.toFixed(2)} | <= 1.2 |`,
  );
  return `# ${many.users} users against ${few.users}

\`${benchCommand('many-users')}\` of ${today()}, Node ${process.version},
${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}). Load when it began:
${loadBefore.toFixed(1)} processes (1-minute average).

Every user has five live sessions, one on each type of device. Two services, each with a Postgres
of its own, take turns in ${rounds} rounds: ${perRound} users of each, spread over the whole table
and others in every round, log in once, refresh ten times and log out; then ${lookUpsPerRound}
session keys are looked for by their kids, one after the other, as by a node that has met none of
them.
The calls are the use cases of \`src/app\`, one after the other; the password hash is free. A
ratio is the median of the rounds' ratios.

| median milliseconds | ${many.users} users | ${few.users} users | ratio | target |
|---|---|---|---|---|
${rows.join('\n')}

| HOT share of the updates | ${many.users} users | ${few.users} users | target |
|---|---|---|---|
| streams | ${percent(hot.many.streams)} | ${percent(hot.few.streams)} | >= 95 % |
| sessions, ends left out | ${percent(hot.many.sessions)} | ${percent(hot.few.sessions)} | >= 95 % |

A session that ends leaves two partial indexes and enters a third, which no HOT update can. The
users and their sessions were made by \`bench/support/fill.ts\` with the events and
rows that the use cases write, the larger side in
${many.fillSeconds.toFixed(0)} s.
`;
}

await main();
