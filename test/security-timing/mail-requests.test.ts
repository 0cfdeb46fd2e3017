import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/node/config.ts';
import { type FaultNode, faultPassword, startFaultNode } from '../support/fault-node.ts';
import { percentile, shuffled, TimedConnection, worstPair } from '../support/fault-timing.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { served } from '../support/served.ts';

/** Of each class; `TIMING_TRIES=2000` sees half as small a difference, in four times the time. */
const tries = Number(process.env.TIMING_TRIES ?? 500);
const triesOfVariant = 150;
/** More than half a minute lies between two requests about one: each request writes. */
const knownUsers = 1_000;
const leakThreshold = 4.5;
const lanes = 20;
const thinkMs = 10;
/** As shipped. */
const floorMs = loadConfig({}).http.loginFloorMs;

const classNames = ['known', 'unknown'] as const;
type Class = (typeof classNames)[number];

const routes = {
  '/auth/request-otp': (email: string) => ({ email }),
  '/auth/password/forgot': (email: string) => ({ email }),
  '/auth/verify-email/request': (email: string) => ({ email }),
  '/auth/register': (email: string) => ({ email, password: faultPassword }),
};
type Path = keyof typeof routes;

const anEmail = () => `${randomBytes(8).toString('hex')}@example.com`;

let database: TestDatabase;
const users = Array.from({ length: knownUsers }, anEmail);
let userAt = 0;
const nextUser = () => users[userAt++ % users.length]!;

beforeAll(async () => {
  database = await createTestDatabase();
  const node = await startFaultNode({ databaseUrl: database.appUrl });
  const waiting = [...users];
  const lane = async () => {
    for (let email = waiting.pop(); email !== undefined; email = waiting.pop()) {
      const body = { email, password: faultPassword };
      const { status } = await served(() => node.call('POST', '/auth/register', { body }));
      // A try that was answered 503 may have been committed.
      expect([201, 409]).toContain(status);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  await node.kill9();
}, 300_000);
afterAll(() => database.drop());

async function withNode(variant: string | null, work: (node: FaultNode) => Promise<void>) {
  const node = await startFaultNode({
    databaseUrl: database.appUrl,
    env: {
      LOGIN_FLOOR_MS: String(floorMs),
      SMTP_URL: 'smtp://127.0.0.1:25',
      MAIL_FROM: 'latchkey@example.com',
    },
    ...(variant === null ? {} : { variant }),
  });
  try {
    await work(node);
  } finally {
    await node.kill9();
  }
}

/** Both classes in one random order, taken by a few connections that wait for their answer. */
async function measure(node: FaultNode, path: Path, triesPerClass: number) {
  const order = shuffled(classNames.flatMap((name) => Array<Class>(triesPerClass).fill(name)));
  const samples = new Map(classNames.map((name) => [name, [] as number[]]));
  const answers = new Set<string>();
  const pause = (mostMs: number) =>
    new Promise((resolve) => setTimeout(resolve, Math.random() * mostMs));
  const bodyFor = (name: Class) =>
    JSON.stringify(routes[path](name === 'known' ? nextUser() : anEmail()));
  const lane = async () => {
    const connection = await TimedConnection.open(node.port);
    // Out of step with the others: a floor puts answers at regular times.
    await pause(floorMs);
    for (let n = 0; n < 5; n += 1) await connection.post(path, bodyFor('unknown'));
    for (let name = order.pop(); name !== undefined; name = order.pop()) {
      const { ms, text } = await connection.post(path, bodyFor(name));
      samples.get(name)!.push(ms);
      answers.add(text.replace(/"request_id":"[\w-]{82}"/, '"request_id":"…"'));
      await pause(thinkMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const pooled = [...samples.values()].flat();
  const cutoff = percentile(pooled, 0.99);
  const [all, cropped] = [worstPair(samples), worstPair(samples, cutoff)];
  const overruns = [...samples].map(
    ([name, values]) => `${name} ${values.filter((ms) => ms > 1.5 * floorMs).length}`,
  );
  console.log(
    `${path}: ${pooled.length} tries, median ${percentile(pooled, 0.5).toFixed(2)} ms; ` +
      `|t| ${Math.abs(all.t).toFixed(2)}, below the common 99th percentile ` +
      `${Math.abs(cropped.t).toFixed(2)}; beyond the floor: ${overruns.join(', ')}`,
  );
  return { all: Math.abs(all.t), cropped: Math.abs(cropped.t), answers: [...answers] };
}

describe.each(Object.keys(routes) as Path[])('%s', (path) => {
  it('tells known and unknown addresses apart in a build that sends in the request', async () => {
    await withNode('../security-timing/sending-process.ts', async (node) => {
      const { all, answers } = await measure(node, path, triesOfVariant);
      expect(answers).toHaveLength(1);
      expect(all).toBeGreaterThan(leakThreshold);
    });
  });

  it('answers known and unknown addresses alike, and takes the same time', async () => {
    await withNode(null, async (node) => {
      const { all, cropped, answers } = await measure(node, path, tries);
      expect(answers).toHaveLength(1);
      expect(answers[0]).toMatch(/^HTTP\/1\.1 202 /);
      expect(all).toBeLessThan(leakThreshold);
      expect(cropped).toBeLessThan(leakThreshold);
    });
  });
});
