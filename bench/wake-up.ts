import pg from 'pg';
import { installJobSchema } from '../src/worker/job-schema.ts';
import {
  expectStatus,
  type FaultNode,
  faultPassword,
  logIn,
  startFaultNode,
  startFaultWorker,
  until,
} from '../test/support/fault-node.ts';
import { startRedis, type TestRedis } from '../test/support/redis.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';

const logouts = Number(process.argv[2] ?? 200);

interface Pair {
  readonly name: string;
  readonly here: FaultNode;
  readonly there: FaultNode;
  readonly fromSending: number[];
  readonly fromAnswer: number[];
}

const database = await startBenchPostgres();
const owner = new pg.Client({ connectionString: database.ownerUrl });
await owner.connect();
await installJobSchema(owner, 'latchkey_app');
await owner.end();
const redis = await startRedis();
const databaseUrl = database.appUrl;
const withRedis = { REDIS_URL: redis.url, DEVICE_POLICY_WEB: 'unlimited' };
const alone = { DEVICE_POLICY_WEB: 'unlimited' };
const pairs = [await startPair('with Redis', withRedis), await startPair('without', alone)];
const worker = await startFaultWorker({ databaseUrl, env: { ...withRedis, WORKER_PORT: '0' } });
const inModel: number[] = [];

const email = 'wake-up@example.com';
await expectStatus(
  201,
  pairs[0]!.here.call('POST', '/auth/register', { body: { email, password: faultPassword } }),
);
// The first of each is slower than all that follow.
for (const pair of pairs) for (let each = 0; each < 10; each += 1) await one(pair);
for (const { fromSending, fromAnswer } of pairs) fromSending.length = fromAnswer.length = 0;
// Side by side, so that a slow moment of the machine meets both.
for (let each = 0; each < logouts; each += 1) for (const pair of pairs) await one(pair);
for (let each = 0; each < logouts / 4; each += 1) inModel.push(await untilInModel(redis));

const row = (name: string, times: readonly number[]) =>
  `| ${name} | ${percentile(times, 0.5)} | ${percentile(times, 0.99)} |`;
console.log(`${logouts} logouts each, two processes of each kind on one Postgres; ms\n`);
console.log('| From … to the first refusal by the other node | p50 | p99 |\n|---|---|---|');
for (const { name, fromSending, fromAnswer } of pairs) {
  console.log(row(`the answer to the logout, ${name}`, fromAnswer));
  console.log(row(`sending the logout, ${name}`, fromSending));
}
console.log(row('the answer to the logout, to `blacklist:<jti>` in Redis', inModel));

await Promise.all(pairs.flatMap(({ here, there }) => [here.kill9(), there.kill9()]));
await worker.kill9();
await redis.stop();
await database.remove();

async function startPair(name: string, env: Record<string, string>): Promise<Pair> {
  const here = await startFaultNode({ databaseUrl, env });
  const there = await startFaultNode({ databaseUrl, env });
  return { name, here, there, fromSending: [], fromAnswer: [] };
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

async function untilInModel({ client }: TestRedis): Promise<number> {
  const { here } = pairs[0]!;
  const { access_token: token } = await logIn(here, email);
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  await expectStatus(204, here.call('POST', '/auth/logout', { token }));
  return until(async () => (await client.exists(`blacklist:${claims.jti}`)) === 1, 10_000, 1);
}

function percentile(times: readonly number[], share: number): string {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(1);
}
