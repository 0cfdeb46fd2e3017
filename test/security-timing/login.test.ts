import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/node/config.ts';
import { type FaultNode, logIn, registerUser, startFaultNode } from '../support/fault-node.ts';
import {
  percentile,
  shuffled,
  TimedConnection,
  type WorstPair,
  worstPair,
} from '../support/fault-timing.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

/** Of each class; `TIMING_TRIES=2000` sees a smaller difference, and takes twice as long. */
const tries = Number(process.env.TIMING_TRIES ?? 1_000);
const triesWithoutFloor = 400;
/** Fewer than lock a user, so that the one who guesses stays unlocked for the whole run. */
const guessesPerUser = 9;
const lockedUsers = 30;
const leakThreshold = 4.5;
const lanesWithoutFloor = 4;
const phaseMs = 40 * tries;
const thinkMs = 10;
/** As shipped: the head room is this minus what a refusal costs. */
const floorMs = loadConfig({}).http.loginFloorMs;

/** What a stranger may try. The length of the request is the sender's own: all are sent as long as the longest. */
const classes = {
  'unknown user': () => [`${randomBytes(8).toString('hex')}@example.com`, wrong()],
  'wrong password': () => [nextUser(), wrong()],
  'empty password': () => [nextUser(), ''],
  'overlong password': () => [nextUser(), overlong],
  'empty identifier': () => ['', wrong()],
  'overlong identifier': () => [overlong, wrong()],
  'locked user': () => [nextLocked(), wrong()],
} satisfies Record<string, () => [string, string]>;
type Class = keyof typeof classes;
const classNames = Object.keys(classes) as Class[];

const overlong = '𝄞'.repeat(1_024);
const bodyBytes = 5_000;
const wrong = () => `not the right password ${randomBytes(4).toString('hex')}`;

let database: TestDatabase;
let users: string[] = [];
let locked: string[] = [];
let userAt = 0;
let lockedAt = 0;
const nextUser = () => users[userAt++ % users.length]!;
const nextLocked = () => locked[lockedAt++ % locked.length]!;

beforeAll(async () => {
  database = await createTestDatabase();
}, 60_000);
afterAll(() => database.drop());

async function startNode(floor: number): Promise<FaultNode> {
  return startFaultNode({
    databaseUrl: database.appUrl,
    env: { LOGIN_FLOOR_MS: String(floor), DEVICE_POLICY_WEB: 'unlimited' },
  });
}

/** Enough users that none is guessed at often enough to be locked, and some that are. */
async function register(node: FaultNode, triesPerClass: number): Promise<void> {
  const addresses = (count: number) =>
    Array.from({ length: count }, () => `${randomBytes(8).toString('hex')}@example.com`);
  users = addresses(Math.ceil((3 * triesPerClass) / guessesPerUser));
  locked = addresses(lockedUsers);
  userAt = 0;
  const waiting = [...users, ...locked];
  const lane = async () => {
    for (let email = waiting.pop(); email !== undefined; email = waiting.pop()) {
      await registerUser(node, email);
      if (!locked.includes(email)) continue;
      for (let guess = 0; guess < 10; guess += 1) {
        const body = { email, password: wrong() };
        await node.call('POST', '/auth/login', { body });
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

function bodyOf(name: Class): string {
  const [email, password] = classes[name]();
  const json = JSON.stringify({ email, password });
  return json + ' '.repeat(bodyBytes - Buffer.byteLength(json));
}

interface Measured {
  readonly samples: ReadonlyMap<Class, number[]>;
  /** The different answers that were seen; one, unless an answer tells what was wrong. */
  readonly answers: readonly string[];
}

/** All classes in one random order, taken by a few connections that wait for their answer. */
async function measure(
  node: FaultNode,
  triesPerClass: number,
  pace: { readonly lanes: number; readonly floor: number },
): Promise<Measured> {
  const order = shuffled(classNames.flatMap((name) => Array<Class>(triesPerClass).fill(name)));
  const samples = new Map(classNames.map((name) => [name, [] as number[]]));
  const answers = new Set<string>();
  const pause = (mostMs: number) =>
    new Promise((resolve) => setTimeout(resolve, Math.random() * mostMs));
  const lane = async () => {
    const connection = await TimedConnection.open(node.port);
    // Out of step with the others: a floor puts answers, and so the next requests, at regular times.
    await pause(pace.floor);
    for (let n = 0; n < 5; n += 1) await connection.post('/auth/login', bodyOf('unknown user'));
    for (let name = order.pop(); name !== undefined; name = order.pop()) {
      const { ms, text } = await connection.post('/auth/login', bodyOf(name));
      samples.get(name)!.push(ms);
      answers.add(text);
      if (pace.floor > 0) await pause(thinkMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: pace.lanes }, lane));
  return { samples, answers: [...answers] };
}

/** Sessions that refresh all the time, on the same node. */
async function appendLoad(node: FaultNode) {
  const email = `load.${randomBytes(4).toString('hex')}@example.com`;
  await registerUser(node, email);
  let stopped = false;
  let appends = 0;
  const loops = Array.from({ length: 3 }, async () => {
    let { refresh_token } = await logIn(node, email);
    while (!stopped) {
      const body = { refresh_token };
      const answer = await node.call('POST', '/auth/refresh', { body });
      if (answer.status === 200) refresh_token = answer.body.refresh_token;
      appends += 1;
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  });
  return async () => {
    stopped = true;
    await Promise.all(loops);
    return appends;
  };
}

function report(title: string, { samples }: Measured): { all: WorstPair; cropped: WorstPair } {
  const pooled = [...samples.values()].flat();
  const cutoff = percentile(pooled, 0.99);
  const all = worstPair(samples);
  const cropped = worstPair(samples, cutoff);
  const overruns = [...samples].map(
    ([name, values]) => `${name} ${values.filter((ms) => ms > 1.5 * floorMs).length}`,
  );
  const line = (worst: WorstPair) => `|t| ${Math.abs(worst.t).toFixed(2)} (${worst.pair})`;
  console.log(
    `${title}: ${pooled.length} tries, median ${percentile(pooled, 0.5).toFixed(2)} ms; worst ${line(all)}; ` +
      `below the common 99th percentile ${line(cropped)}` +
      `; beyond the floor: ${overruns.join(', ')}`,
  );
  return { all, cropped };
}

function expectNoLeak(title: string, measured: Measured): void {
  const { all, cropped } = report(title, measured);
  expect(measured.answers).toHaveLength(1);
  expect(measured.answers[0]).toMatch(/^HTTP\/1\.1 401 /);
  expect(Math.abs(all.t), all.pair).toBeLessThan(leakThreshold);
  expect(Math.abs(cropped.t), cropped.pair).toBeLessThan(leakThreshold);
}

async function withNode(floor: number, work: (node: FaultNode) => Promise<void>): Promise<void> {
  const node = await startNode(floor);
  try {
    await work(node);
  } finally {
    await node.kill9();
  }
}

const lanes = Math.ceil((classNames.length * tries * (floorMs + thinkMs / 2)) / phaseMs);

it('given a build without the floor, the same harness tells the classes apart', async () => {
  await withNode(0, async (node) => {
    await register(node, triesWithoutFloor);
    const measured = await measure(node, triesWithoutFloor, { lanes: lanesWithoutFloor, floor: 0 });
    const { all, cropped } = report('without the floor', measured);
    expect(measured.answers).toHaveLength(1);
    expect(Math.abs(all.t)).toBeGreaterThan(leakThreshold);
    expect(Math.abs(cropped.t)).toBeGreaterThan(leakThreshold);
    const slow = Math.max(...[...measured.samples.values()].map((ms) => percentile(ms, 0.999)));
    console.log(`99.9 % of the work takes less than ${slow.toFixed(1)} ms; floor ${floorMs} ms`);
  });
});

it('with the floor they take the same time, alone', async () => {
  await withNode(floorMs, async (node) => {
    await register(node, tries);
    expectNoLeak('alone', await measure(node, tries, { lanes, floor: floorMs }));
  });
});

it('with the floor they take the same time, under append load', async () => {
  await withNode(floorMs, async (node) => {
    await register(node, tries);
    const stop = await appendLoad(node);
    const measured = await measure(node, tries, { lanes, floor: floorMs });
    console.log(`${await stop()} refreshes meanwhile`);
    expectNoLeak('under append load', measured);
  });
});
