import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { openPersonalData, subjectKeyId } from '../../src/platform/crypto/subject-cipher.ts';
import { aFile } from '../support/a-file.ts';
import { dumpedTables, filesBelow, heldInRedis, type Place } from '../support/at-rest.ts';
import {
  expectStatus,
  type FaultNode,
  type FaultProcess,
  faultKek,
  faultPassword,
  startFaultNode,
  startFaultWorker,
  until,
  verifyStatus,
} from '../support/fault-node.ts';
import { percentile } from '../support/fault-timing.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/postgres.ts';
import { modelPosition, startRedis, type TestRedis } from '../support/redis.ts';
import { useSecondFactor } from '../support/second-factor-at-rest.ts';
import { type Finding, type Secret, SecretSearch } from '../support/secret-search.ts';
import { served } from '../support/served.ts';

const persons = 100;
/** Every so many have a second factor. */
const secondFactorEvery = 5;
const [kekId, kekText] = faultKek.split(':') as [string, string];
const keyWrap = localKeyWrap([{ id: kekId, key: Buffer.from(kekText, 'base64url') }]);
const planted = { name: 'the planted address', bytes: Buffer.from(`p.${hex(12)}@example.com`) };
const erasureLog = aFile('erasures.log');

let postgres: PrivatePostgres;
let redis: TestRedis;
let owner: pg.Client;
let nodes: [FaultNode, FaultNode];
let worker: FaultProcess;
let administrator: string;
/** How long the other node took to refuse a token of somebody who was erased, in milliseconds. */
const delaysMs: number[] = [];

/** All of it distinct, and long enough to be no accident where it is found. */
interface Person {
  readonly email: string;
  readonly username: string;
  readonly name: string;
  readonly phone: string;
  readonly picture: string;
  readonly ip: string;
  readonly userAgent: string;
  readonly deviceName: string;
  /** The secret of the authenticator app, and the recovery codes. */
  readonly factor: Secret[];
  id: string;
  token: string;
}
const everybody: Person[] = [];
/** As a backup from before the erasures holds it. */
const oldKeys = new Map<string, string>();

function hex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

function newPerson(): Person {
  const groups = Array.from({ length: 6 }, () => `a${hex(2).slice(1)}`);
  return {
    email: `person.${hex(8)}@example.com`,
    username: `user.${hex(8)}x`,
    name: `Name of ${hex(8)}`,
    phone: `+49 ${randomBytes(8).readBigUInt64BE()}`.padEnd(20, '7'),
    picture: `https://pictures.example/${hex(8)}.png`,
    ip: `2001:db8:${groups.join(':')}`,
    userAgent: `Browser ${hex(8)}`,
    deviceName: `Device ${hex(8)}`,
    factor: [],
    id: '',
    token: '',
  };
}

function traces(person: Person): Secret[] {
  const { email, username, name, phone, picture, ip, userAgent, deviceName, factor } = person;
  const texts = { email, username, name, phone, picture, ip, userAgent, deviceName };
  const plain = Object.entries(texts).map(([kind, text]) => ({
    name: kind,
    bytes: Buffer.from(text),
  }));
  // It would confirm the address or the name to anybody who guesses it.
  const hashes = Object.entries({ email, username }).map(([kind, text]) => ({
    name: `hash of the ${kind}`,
    bytes: createHash('sha256').update(text).digest(),
  }));
  return [...plain, ...hashes, ...factor];
}

beforeAll(async () => {
  // No WAL is recycled: what was written once is there at the end.
  postgres = await startPrivatePostgres({
    settings: { wal_keep_size: '4GB', max_wal_size: '4GB', log_min_duration_statement: '0' },
  });
  owner = new pg.Client({ connectionString: postgres.ownerUrl });
  await owner.connect();
  redis = await startRedis();
  const admin = { email: 'admin@example.com', password: faultPassword };
  const env = {
    LOG_LEVEL: 'debug',
    REDIS_URL: redis.url,
    RATE_LIMITS: 'on',
    TRUSTED_PROXIES: '127.0.0.1/32',
    SIGNING_MOBILE: 'session',
    USERNAMES: 'on',
    ERASURE_LOG: erasureLog,
    ADMIN_EMAIL: admin.email,
    ADMIN_PASSWORD: admin.password,
  };
  const databaseUrl = postgres.appUrl;
  nodes = [await startFaultNode({ databaseUrl, env }), await startFaultNode({ databaseUrl, env })];
  worker = await startFaultWorker({ databaseUrl, env });
  const body = { ...admin, device: { type: 'service' } };
  const answer = await expectStatus(200, nodes[0].call('POST', '/auth/login', { body }));
  administrator = answer.body.access_token;
  const somebody = async () => {
    while (everybody.length < persons) {
      const person = newPerson();
      everybody.push(person);
      await live(person, nodes[everybody.length % 2]!);
    }
  };
  await Promise.all(Array.from({ length: 3 }, somebody));
  const { rows } = await owner.query('select subject_id, wrapped from latchkey.subject_keys');
  for (const { subject_id, wrapped } of rows) oldKeys.set(subject_id, wrapped);
}, 400_000);
afterAll(async () => {
  await Promise.all([...(nodes ?? []), worker].map((each) => each?.kill9()));
  await redis?.stop();
  await owner.end().catch(() => {});
  await postgres.remove();
});

/**
 * Registers, logs in on two devices, by address and by name, errs, changes the profile, enrols an
 * app, and refreshes from elsewhere.
 */
async function live(person: Person, node: FaultNode): Promise<void> {
  const { email, username, ip, userAgent } = person;
  const headers = { 'x-forwarded-for': ip, 'user-agent': userAgent };
  const post = (target: string, body: object) =>
    served(() => node.call('POST', target, { body, headers }));
  const password = `${faultPassword} ${hex(4)}`;
  await post('/auth/register', { email, username, password });
  await post('/auth/login', { email, password: 'a wrong password' });
  await post('/auth/login', { username, password: 'a wrong password' });
  await post('/auth/register', { email, username, password });
  const mobile = { type: 'mobile', name: person.deviceName };
  await expectStatus(200, post('/auth/login', { email, password, device: mobile }));
  const web = await expectStatus(200, post('/auth/login', { username, password }));
  const profile = { name: person.name, phone_number: person.phone, picture: person.picture };
  const token = web.body.access_token as string;
  const patch = () => node.call('PATCH', '/auth/me', { token, body: profile, headers });
  await expectStatus(200, served(patch));
  const hasFactor = everybody.indexOf(person) % secondFactorEvery === 0;
  if (hasFactor) {
    const by = { email, password, token, headers };
    person.factor.push(...(await useSecondFactor(node, by)).secrets);
  }
  const { refresh_token } = web.body;
  const elsewhere = { ...headers, 'user-agent': `${userAgent} elsewhere` };
  const refresh = () =>
    node.call('POST', '/auth/refresh', { body: { refresh_token }, headers: elsewhere });
  const refreshed = await expectStatus(200, served(refresh));
  // The first token is out of date once a second factor is there.
  person.token = refreshed.body.access_token;
  person.id = web.body.user.id;
}

function personsIn(places: Iterable<Place>, secrets: readonly Secret[]): Finding[] {
  const search = new SecretSearch(secrets);
  return [...places].flatMap(({ place, bytes }) => search.find(bytes, place));
}

describe('after a hundred people were erased', () => {
  it('each was known before, and the other node refuses their tokens at once', async () => {
    const { rows } = await owner.query('select count(*)::int as users from latchkey.subject_keys');
    expect(rows[0].users).toBe(persons + 1);
    const kept = await owner.query(
      `select (select count(*) from latchkey.usernames)::int as names,
        (select count(*) from latchkey.totp_secrets)::int as factors`,
    );
    expect(kept.rows[0]).toEqual({ names: persons, factors: persons / secondFactorEvery });
    for (const [n, person] of everybody.entries()) {
      const [here, there] = n % 2 === 0 ? nodes : [nodes[1], nodes[0]];
      expect(await verifyStatus(there, person.token)).toBe(204);
      const target = `/admin/users/${person.id}`;
      const erase = () => here.call('DELETE', target, { token: administrator });
      await expectStatus(204, served(erase));
      const refused = async () => (await verifyStatus(there, person.token)) === 401;
      delaysMs.push(await until(refused, 10_000, 1));
    }
    const [median, p99] = [percentile(delaysMs, 0.5), percentile(delaysMs, 0.99)];
    console.info(`refused by the other node after ${median} ms (median), ${p99} ms (p99)`);
    expect(median).toBeLessThan(250);
  }, 120_000);

  it('the KEK and the database open nothing of theirs any more', async () => {
    const { rows } = await owner.query(
      `select (select count(*) from latchkey.subject_keys where subject_id = any ($1))::int as keys,
        (select count(*) from latchkey.credentials where user_id = any ($1))::int as addresses,
        (select count(*) from latchkey.usernames)::int as names,
        (select count(*) from latchkey.totp_secrets)::int as factors,
        (select count(*) from latchkey.events where subject_id = any ($1)
          and pii is not null)::int as events`,
      [everybody.map(({ id }) => id)],
    );
    expect(rows[0]).toMatchObject({ keys: 0, addresses: 0, names: 0, factors: 0 });
    expect(rows[0].events).toBeGreaterThanOrEqual(persons * 6);
  });

  // What docs/privacy.md says of backups. Fails when it promises too much, or too little.
  it('an old copy of their keys and the KEK still open what the log keeps', async () => {
    const [{ id, email, username }] = everybody as [Person];
    const key = await keyWrap.unwrap(subjectKeyId(id), oldKeys.get(id)!);
    const { rows } = await owner.query(
      `select pii from latchkey.events where stream_id = $1 and type = 'UserRegistered'`,
      [id],
    );
    expect(openPersonalData(key, id, rows[0].pii)).toEqual({ email, username });
  });

  // Fails when any of it is written anywhere as it is; the last lines fail when this finds nothing
  // at all.
  it('nothing of theirs is in the dump, files, WAL, logs or Redis, but a planted one', async () => {
    await owner.query('create table latchkey.planted (address text, encoded text)');
    await owner.query('insert into latchkey.planted values ($1, $2)', [
      planted.bytes.toString(),
      planted.bytes.toString('base64url'),
    ]);
    await owner.query(`do $$ begin raise log '%', '${planted.bytes.toString('hex')}'; end $$`);
    const { rows } = await owner.query('select max(pos)::text as head from latchkey.events');
    await until(async () => (await modelPosition(redis)) >= Number(rows[0].head), 60_000);
    const logged = [...nodes, worker].map(({ lines }, n): Place => {
      return { place: `log of process ${n}`, bytes: Buffer.from(lines.join('\n')) };
    });
    expect(nodes[0].lines.length + nodes[1].lines.length).toBeGreaterThan(persons * 5);
    const secrets = [...everybody.flatMap(traces), planted];
    const found = personsIn(logged, secrets);
    const search = new SecretSearch(secrets);
    for await (const { place, bytes } of heldInRedis(redis.client)) {
      found.push(...search.find(bytes, place));
    }
    for await (const { place, bytes } of dumpedTables(owner)) {
      found.push(...search.find(bytes, place));
    }
    await owner.query('checkpoint');
    await owner.end();
    await Promise.all([...nodes, worker].map((each) => each.terminate()));
    await postgres.stop();
    let bytesRead = 0;
    for (const { place, bytes } of [
      ...filesBelow(path.dirname(erasureLog)),
      ...filesBelow(postgres.dataDir),
    ]) {
      bytesRead += bytes.length;
      found.push(...search.find(bytes, place));
    }
    const { needles } = search;
    console.info(`${secrets.length} texts, ${needles} spellings, ${bytesRead >> 20} MB of files`);

    expect(found.filter(({ name }) => name !== planted.name)).toEqual([]);
    const spellingsIn = (start: string) =>
      new Set(found.filter(({ place }) => place.startsWith(start)).map((each) => each.spelling));
    for (const start of ['dump', path.join('postgres', 'base'), path.join('postgres', 'pg_wal')]) {
      expect([...spellingsIn(start)]).toEqual(expect.arrayContaining(['raw', 'base64url + 0']));
    }
    expect(spellingsIn('postgres-server.log')).toContain('hex');
  }, 240_000);
});
