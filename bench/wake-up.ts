import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  expectStatus,
  type FaultNode,
  logIn,
  registerUser,
  startFaultNode,
  startFaultWorker,
  until,
} from '../test/support/fault-node.ts';
import { percentile } from '../test/support/fault-timing.ts';
import { startRedis, type TestRedis } from '../test/support/redis.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { benchCommand, today } from './support/report-head.ts';

// `npm run bench:wake-up -- --logouts 100`: how long after a logout another process refuses the
// token, with Redis and without. Two processes of each kind run on one Postgres and take turns, so
// that a slow moment of the machine meets both.

const { values: flags } = parseArgs({
  options: {
    logouts: { type: 'string', default: '200' },
    write: { type: 'boolean', default: false },
  },
});
const logouts = Number(flags.logouts);
const email = 'wake-up@example.com';

interface Pair {
  readonly name: string;
  readonly here: FaultNode;
  readonly there: FaultNode;
  readonly fromSending: number[];
  readonly fromAnswer: number[];
}

async function main(): Promise<void> {
  const loadBefore = loadavg()[0]!;
  await using opened = new AsyncDisposableStack();
  const postgres = opened.adopt(await startBenchPostgres(), (server) => server.remove());
  const redis = opened.adopt(await startRedis(), (server) => server.stop());
  const databaseUrl = postgres.appUrl;
  const startPair = async (name: string, env: Record<string, string>): Promise<Pair> => {
    const start = async () =>
      opened.adopt(await startFaultNode({ databaseUrl, env }), (node) => node.kill9());
    return { name, here: await start(), there: await start(), fromSending: [], fromAnswer: [] };
  };
  const alone = { DEVICE_POLICY_WEB: 'unlimited' };
  const withRedis = { ...alone, REDIS_URL: redis.url };
  const pairs = [await startPair('with Redis', withRedis), await startPair('without', alone)];
  const env = { ...withRedis, WORKER_PORT: '0' };
  opened.adopt(await startFaultWorker({ databaseUrl, env }), (worker) => worker.kill9());
  const { here } = pairs[0]!;
  await registerUser(here, email);
  // The first of each is slower than all that follow.
  for (const pair of pairs) for (let each = 0; each < 10; each += 1) await one(pair);
  for (const { fromSending, fromAnswer } of pairs) fromSending.length = fromAnswer.length = 0;
  for (let each = 0; each < logouts; each += 1) for (const pair of pairs) await one(pair);
  const inModel: number[] = [];
  for (let each = 0; each < logouts / 4; each += 1) inModel.push(await untilInModel(here, redis));
  const report = reportOf(pairs, inModel, loadBefore);
  console.info(report);
  if (flags.write) writeFileSync(path.join(import.meta.dirname, 'results', 'wake-up.md'), report);
}

async function one({ here, there, fromSending, fromAnswer }: Pair): Promise<void> {
  const { access_token: token } = await logIn(here, email);
  await expectStatus(204, there.call('GET', '/auth/verify', { token }));
  const sentAt = performance.now();
  await expectStatus(204, here.call('POST', '/auth/logout', { token }));
  const answeredAt = performance.now();
  while ((await there.call('GET', '/auth/verify', { token })).status !== 401);
  fromSending.push(performance.now() - sentAt);
  fromAnswer.push(performance.now() - answeredAt);
}

async function untilInModel(here: FaultNode, { client }: TestRedis): Promise<number> {
  const { access_token: token } = await logIn(here, email);
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  await expectStatus(204, here.call('POST', '/auth/logout', { token }));
  return until(async () => (await client.exists(`blacklist:${claims.jti}`)) === 1, 10_000, 1);
}

function reportOf(pairs: readonly Pair[], inModel: readonly number[], loadBefore: number): string {
  const row = (name: string, times: readonly number[]) => {
    const [p50, p99] = [0.5, 0.99].map((share) => percentile(times, share).toFixed(1));
    return `| ${name} | ${times.length} | ${p50} | ${p99} |`;
  };
  const rows = pairs.flatMap(({ name, fromSending, fromAnswer }) => [
    row(`the answer to the logout, ${name}`, fromAnswer),
    row(`sending the logout, ${name}`, fromSending),
  ]);
  rows.push(row('the answer to the logout, to `blacklist:<jti>` in Redis', inModel));
  return `# From a logout to the first refusal by another process

\`${benchCommand('wake-up')}\` of ${today()}, Node ${process.version},
${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}). Load when it began:
${loadBefore.toFixed(1)} processes (1-minute average). Two processes with Redis and two without run
on one Postgres; the pairs take turns.

| From … to the first refusal by the other process, ms | logouts | p50 | p99 |
|---|---|---|---|
${rows.join('\n')}
`;
}

await main();
