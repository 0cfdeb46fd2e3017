import { afterAll, beforeAll, expect, it } from 'vitest';
import { RecordSeal } from '../../src/eventlog/record-seal.ts';
import { Tail } from '../../src/eventlog/tail.ts';
import { loadConfig } from '../../src/node/config.ts';
import { loadServerSecrets } from '../../src/node/server-secrets.ts';
import { loadKeyRing } from '../../src/platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { SubjectKeys } from '../../src/platform/crypto/subject-cipher.ts';
import { createPools } from '../../src/platform/postgres/pool.ts';
import { rebuildAndCompare } from '../../src/rebuild/rebuild.ts';
import { installJobSchema } from '../../src/worker/job-schema.ts';
import { breaches } from '../support/acknowledged-breaches.ts';
import { Acknowledgements, type SessionRecord } from '../support/acknowledgements.ts';
import { silentLogger } from '../support/cluster.ts';
import { LoadClient } from '../support/fault-load.ts';
import {
  type FaultNode,
  type FaultProcess,
  faultKek,
  registerUser,
  startFaultNode,
  startFaultWorker,
  until,
  verifyStatus,
} from '../support/fault-node.ts';
import { type PrivatePostgres, startPrivatePostgres, withClient } from '../support/postgres.ts';

const kills = 20;
const clients = 6;
const loadMs = { least: 300, most: 1_500 };

let postgres: PrivatePostgres;
let nodes: FaultNode[] = [];
let worker: FaultProcess;

beforeAll(async () => {
  postgres = await startPrivatePostgres();
  await withClient(postgres.ownerUrl, (client) => installJobSchema(client, 'latchkey_app'));
}, 60_000);
afterAll(async () => {
  await Promise.all([...nodes, worker].map((each) => each.kill9()));
  await postgres.remove();
});

async function startAll(): Promise<void> {
  const options = {
    databaseUrl: postgres.appUrl,
    env: {
      DEVICE_POLICY_WEB: 'unlimited',
      MAX_SESSIONS_PER_USER: '250',
      POOL_READERS: '4',
      // A client may come back to a refresh without an answer only some kills later.
      REFRESH_GRACE_SECONDS: '600',
    },
  };
  const [first, second, jobs] = await Promise.all([
    startFaultNode(options),
    startFaultNode(options),
    startFaultWorker(options),
  ]);
  nodes = [first, second];
  worker = jobs;
}

/** Postgres at a random place in the order: what outlives it sees the connection break. */
async function killEverything(): Promise<void> {
  const ended: Promise<void>[] = [];
  const victims = [...nodes, worker].map((each) => () => {
    ended.push(each.kill9());
  });
  victims.splice(Math.floor(Math.random() * 4), 0, () => postgres.kill9());
  for (const kill of victims) {
    kill();
    if (Math.random() < 0.5) await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
  }
  await Promise.all(ended);
}

/** Every acknowledged refresh token still works, or its session has ended; ended ones are refused on every node. */
async function tokenBreaches(records: Iterator<SessionRecord>): Promise<string[]> {
  const found: string[] = [];
  const check = async (record: SessionRecord) => {
    const { sessionId, refreshToken: refresh_token, logoutSent, maybeSuperseded } = record;
    if (record.logoutAcknowledged) {
      for (const node of nodes) {
        const status = await verifyStatus(node, record.accessToken);
        if (status !== 401) found.push(`${sessionId}: verify answers ${status} after its logout`);
      }
    }
    const { status } = await nodes[0]!.call('POST', '/auth/refresh', { body: { refresh_token } });
    const mayHaveEnded = logoutSent || maybeSuperseded;
    const good = record.logoutAcknowledged
      ? status === 401
      : status === 200 || (mayHaveEnded && status === 401);
    if (!good) found.push(`${sessionId}: its last refresh token is answered with ${status}`);
  };
  const lane = async () => {
    for (let next = records.next(); !next.done; next = records.next()) await check(next.value);
  };
  await Promise.all(Array.from({ length: 6 }, lane));
  return found;
}

async function rebuildEqualsLive(): Promise<{
  events: number;
  count: number;
  differences: unknown;
}> {
  const keyWrap = localKeyWrap(loadKeyRing(loadConfig({ KEK: faultKek })));
  const subjectKeys = new SubjectKeys({ keyWrap, cachedKeysMax: 10 });
  const { identifierKey, recordSealKey } = await withClient(postgres.ownerUrl, (client) =>
    loadServerSecrets(client, keyWrap),
  );
  return rebuildAndCompare({
    databaseUrl: postgres.ownerUrl,
    keys: {
      identifierKey,
      seal: new RecordSeal(recordSealKey),
      unwrapSubjectKey: (subjectId, wrapped) => subjectKeys.unwrap(subjectId, wrapped),
    },
  });
}

/** Reads the whole log through the fence, as a consumer would. */
async function tailPositions(expected: number): Promise<number[]> {
  const pools = createPools({
    databaseUrl: postgres.appUrl,
    readers: 1,
    applicationName: 'test',
    logger: silentLogger,
  });
  const connection = pools.dedicated('test tail');
  const positions: number[] = [];
  const tail = new Tail({
    connect: async () => ({ client: connection, close: () => {} }),
    after: 0,
    handle: async (events) => void positions.push(...events.map(({ pos }) => pos)),
  });
  tail.start();
  await until(async () => positions.length >= expected, 20_000);
  await tail.stop();
  await connection.close();
  await pools.end();
  return positions;
}

async function expectLogIntact(): Promise<void> {
  const [log] = await withClient(postgres.ownerUrl, async (client) => {
    const { rows } = await client.query(`select count(*)::int as events, max(pos) as last_pos,
      count(distinct pos)::int as positions, count(distinct (stream_id, version))::int as versions,
      (select last_value from latchkey.event_pos) as head from latchkey.events`);
    return rows;
  });
  expect(log.positions).toBe(log.events);
  expect(log.versions).toBe(log.events);
  expect(Number(log.head)).toBeGreaterThanOrEqual(Number(log.last_pos));
  const positions = await tailPositions(log.events);
  expect(positions.length).toBe(log.events);
  expect(positions.every((pos, at) => at === 0 || pos > positions[at - 1]!)).toBe(true);
}

it(`given ${kills} kill -9 of everything at random moments, all that was answered is there`, async () => {
  const acknowledgements = new Acknowledgements();
  const unexpected: string[] = [];
  await startAll();
  const people: LoadClient[] = [];
  for (let n = 0; n < clients; n += 1) {
    const email = `client${n}@example.com`;
    await registerUser(nodes[n % 2]!, email);
    people.push(new LoadClient(email, acknowledgements, unexpected));
  }
  for (let kill = 1; kill <= kills; kill += 1) {
    const running = Promise.all(people.map((client) => client.run(nodes)));
    const pause = loadMs.least + Math.random() * (loadMs.most - loadMs.least);
    await new Promise((resolve) => setTimeout(resolve, pause));
    await killEverything();
    for (const client of people) client.stop();
    await running;
    await postgres.restart();
    expect(await breaches(postgres.ownerUrl, acknowledgements), `after kill ${kill}`).toEqual([]);
    await startAll();
  }
  const { sessions, counts } = acknowledgements;
  expect(await tokenBreaches(sessions.values())).toEqual([]);
  expect(await breaches(postgres.ownerUrl, acknowledgements)).toEqual([]);
  await Promise.all([...nodes, worker].map((each) => each.kill9()));
  await expectLogIntact();
  const { events, count, differences } = await rebuildEqualsLive();
  console.log(
    `${kills} kills; acknowledged: ${counts.logins} logins, ${counts.refreshes} refreshes, ${counts.logouts} logouts; ` +
      `${counts.unanswered} unanswered, ${counts.unavailable} unavailable; rebuilt ${events} events, ${count} differences`,
  );
  expect(differences).toEqual([]);
  expect(unexpected).toEqual([]);
  expect(Math.min(counts.logins, counts.refreshes, counts.logouts)).toBeGreaterThan(kills * 2);
  expect(counts.unanswered).toBeGreaterThan(0);
});
