import { fork } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { changeSession } from '../src/app/session/change-session.ts';
import { changeUser } from '../src/app/user/change-user.ts';
import { sha256 } from '../src/domain/kernel/sha256.ts';
import type { SessionState } from '../src/domain/session/state.ts';
import { appendBatch } from '../src/eventlog/append.ts';
import type { Command } from '../src/eventlog/command.ts';
import { RecordSeal } from '../src/eventlog/record-seal.ts';
import { identifierMac } from '../src/platform/crypto/identifier-index.ts';
import { localKeyWrap } from '../src/platform/crypto/key-wrap.ts';
import { newId } from '../src/platform/crypto/new-id.ts';
import { SubjectKeys, sealPersonalData } from '../src/platform/crypto/subject-cipher.ts';
import { bytea } from '../src/platform/postgres/bytea.ts';
import { rebuildAndCompare } from '../src/rebuild/rebuild.ts';
import type { Change } from '../src/tables/change.ts';
import { startPrivatePostgres } from '../test/support/postgres.ts';

// How fast the log is folded again, and whether the result is what stands there. Every event and
// every live row comes from latchkey.append, one event per command, 100 commands per batch:
// 1 start : 6 refreshes : 1 end per session, personal data encrypted. The sessions of a window take
// turns, so the events of one session lie far apart in the log, as they do in life.

const { positionals } = parseArgs({ allowPositionals: true });
const wantedEvents = Number(positionals[0] ?? 1_000_000);
const refreshesPerSession = 6;
const eventsPerSession = refreshesPerSession + 2;
const sessionsPerUser = 25;
const sessionsPerWindow = 5_000;
const batchCommands = 100;
const lanes = 2;

const identifierKey = createSecretKey(randomBytes(32));
const kek = randomBytes(32);
const sealKey = randomBytes(32);
const seal = new RecordSeal(sealKey);
const keyWrap = localKeyWrap([{ id: 'bench', key: kek }]);
const subjectKeys = new SubjectKeys({ keyWrap, cachedKeysMax: 1 });
const meta = {
  request_id: newId(),
  correlation_id: newId(),
  actor: 'bench',
  actor_type: 'system' as const,
};

interface Subject {
  readonly userId: string;
  readonly key: Buffer;
}

interface Seeded {
  readonly sessionId: string;
  readonly subject: Subject;
  version: number;
  state: SessionState;
  secretHash: string;
}

let clock = Date.now() - 30 * 86_400_000;

async function registration(index: number): Promise<{ command: Command; subject: Subject }> {
  const userId = newId();
  const { key, wrapped } = await subjectKeys.newSubjectKey(userId);
  const email = `person-${index}@example.test`;
  const pii = sealPersonalData(key, userId, { email, name: `Person ${index}` });
  const { touch, rows } = changeUser(userId, null, {
    type: 'RegisterUser',
    now: clock++,
    pii,
    emailVerified: false,
    hasPassword: true,
    roles: [],
  });
  const credentials = [
    { identifier_mac: bytea(identifierMac(identifierKey, email)), user_id: userId },
  ];
  const subject_keys = [{ subject_id: userId, wrapped }];
  const command = {
    commandId: newId(),
    meta,
    streams: [touch],
    rows: { ...rows, credentials, subject_keys },
  };
  return { command, subject: { userId, key } };
}

const commandOf = ({ touch, rows }: Change<SessionState>): Command => ({
  commandId: newId(),
  meta,
  streams: [touch],
  rows,
});

const newSecretHash = () => sha256(randomBytes(32));

function start(subject: Subject): { seeded: Seeded; command: Command } {
  const sessionId = newId();
  const secretHash = newSecretHash();
  const change = changeSession(sessionId, null, {
    type: 'StartSession',
    now: clock++,
    userId: subject.userId,
    clientId: null,
    deviceType: 'web',
    amr: ['pwd'],
    audience: ['https://id.example.test'],
    scope: 'orders.read orders.write',
    transport: 'body',
    lifetimes: { accessTokenTtlSeconds: 900, sessionTtlSeconds: 604_800, refreshable: true },
    secretHash,
    salt: randomBytes(16).toString('base64url'),
    pii: sealPersonalData(subject.key, subject.userId, {
      ip: '192.0.2.17',
      user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      device_name: 'work laptop',
    }),
  });
  const seeded = { sessionId, subject, version: 1, state: change.state, secretHash };
  return { seeded, command: commandOf(change) };
}

function advance(session: Seeded, round: number): Command {
  const secretHash = newSecretHash();
  const now = Math.max(clock++, session.state.refreshedAt) + 1;
  const change =
    round <= refreshesPerSession
      ? changeSession(session.sessionId, session, {
          type: 'RefreshSession',
          now,
          presented: { generation: session.state.generation, secretHash: session.secretHash },
          successor: { secretHash },
          newSalt: randomBytes(16).toString('base64url'),
          idempotencyKeyHash: null,
          accessTokenTtlSeconds: 900,
          graceSeconds: 30,
          keyProven: false,
          idleSeconds: 0,
          pii: Buffer.alloc(0),
          moved: false,
        })
      : changeSession(session.sessionId, session, { type: 'RevokeSession', now, reason: 'logout' });
  session.version = change.version;
  session.state = change.state;
  session.secretHash = secretHash;
  return commandOf(change);
}

async function append(clients: readonly pg.Client[], commands: readonly Command[]): Promise<void> {
  let next = 0;
  const lane = async (client: pg.Client) => {
    while (next < commands.length) {
      const batch = commands.slice(next, next + batchCommands);
      next += batchCommands;
      const outcomes = await appendBatch(client, batch, { patient: false, seal });
      if (outcomes.flat().some(({ outcome }) => outcome !== 'appended')) {
        throw new Error('a command of the seed was not appended');
      }
    }
  };
  await Promise.all(clients.map(lane));
}

async function seed(clients: readonly pg.Client[]): Promise<number> {
  const sessionCount = Math.max(1, Math.floor(wantedEvents / eventsPerSession));
  const users = Math.ceil(sessionCount / sessionsPerUser);
  const registrations: Awaited<ReturnType<typeof registration>>[] = [];
  for (let index = 0; index < users; index++) registrations.push(await registration(index));
  await append(
    clients,
    registrations.map(({ command }) => command),
  );
  for (let from = 0; from < sessionCount; from += sessionsPerWindow) {
    const count = Math.min(sessionsPerWindow, sessionCount - from);
    const started = Array.from({ length: count }, (_, index) =>
      start(registrations[(from + index) % users]!.subject),
    );
    await append(
      clients,
      started.map(({ command }) => command),
    );
    for (let round = 1; round <= refreshesPerSession + 1; round++) {
      await append(
        clients,
        started.map(({ seeded }) => advance(seeded, round)),
      );
    }
  }
  return users + sessionCount * eventsPerSession;
}

interface Order {
  readonly databaseUrl: string;
  readonly identifierKeyHex: string;
  readonly kekHex: string;
  readonly sealKeyHex: string;
}

/** In a process of its own, so that the peak is the rebuild's and not the seed's. */
async function measure({ databaseUrl, identifierKeyHex, kekHex, sealKeyHex }: Order) {
  const wrap = localKeyWrap([{ id: 'bench', key: Buffer.from(kekHex, 'hex') }]);
  const keys = new SubjectKeys({ keyWrap: wrap, cachedKeysMax: 1_000 });
  const result = await rebuildAndCompare({
    databaseUrl,
    keys: {
      identifierKey: createSecretKey(identifierKeyHex, 'hex'),
      seal: new RecordSeal(Buffer.from(sealKeyHex, 'hex')),
      unwrapSubjectKey: (subjectId, wrapped) => keys.unwrap(subjectId, wrapped),
    },
  });
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
  return { ...result, cpuSeconds, rssMb: Math.round((maxRSS * 1024) / 1e6) };
}

type Measured = Awaited<ReturnType<typeof measure>>;

async function measureInChild(order: Order): Promise<Measured> {
  const child = fork(import.meta.filename, ['measure']);
  child.send(order);
  const [measured] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`measure exited: ${code}`))),
  ])) as [Measured];
  return measured;
}

function report(name: string, measured: Measured) {
  return {
    run: name,
    events: measured.events,
    'fold s': measured.seconds.toFixed(1),
    'events/s': Math.round(measured.events / measured.seconds),
    'compare s': measured.compareSeconds.toFixed(1),
    'node CPU s': measured.cpuSeconds.toFixed(1),
    'peak RSS MB': measured.rssMb,
    differences: measured.count,
  };
}

async function main(): Promise<void> {
  console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`);
  const postgres = await startPrivatePostgres();
  const clients = Array.from(
    { length: lanes },
    () => new pg.Client({ connectionString: postgres.ownerUrl }),
  );
  try {
    for (const client of clients) await client.connect();
    const begun = performance.now();
    const appended = await seed(clients);
    const seconds = (performance.now() - begun) / 1000;
    console.log(`appended ${appended} events, one per command, in ${seconds.toFixed(0)} s`);
    const owner = clients[0]!;
    await owner.query('vacuum analyze');
    const order = {
      databaseUrl: postgres.ownerUrl,
      identifierKeyHex: identifierKey.export().toString('hex'),
      kekHex: kek.toString('hex'),
      sealKeyHex: sealKey.toString('hex'),
    };
    const runs = [];
    for (const name of ['first', 'second', 'third']) {
      runs.push(report(name, await measureInChild(order)));
      console.log(runs.at(-1));
    }
    const { rows } = await owner.query(`update latchkey.sessions
      set pii = set_byte(pii, 40, get_byte(pii, 40) # 1)
      where session_id = (select session_id from latchkey.sessions order by session_id offset 7 limit 1)
      returning session_id`);
    const planted = await measureInChild(order);
    runs.push(report('one byte changed', planted));
    console.table(runs);
    console.log('changed:', rows[0].session_id, 'found:', planted.differences);
    const equal = runs.slice(0, 3).every(({ differences }) => differences === 0);
    const found = planted.count === 1 && planted.differences[0]?.key === rows[0].session_id;
    if (!equal || !found)
      throw new Error('the rebuild is not equal, or the changed byte not found');
  } finally {
    for (const client of clients) await client.end();
    await postgres.remove();
  }
}

if (positionals[0] === 'measure') {
  const [order] = (await once(process, 'message')) as [Order];
  process.send!(await measure(order));
  process.disconnect();
} else {
  await main();
}
