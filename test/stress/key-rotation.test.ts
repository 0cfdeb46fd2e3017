import { setTimeout as sleep } from 'node:timers/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { issuerKeysetId } from '../../src/domain/kernel/ids.ts';
import { installJobSchema } from '../../src/worker/job-schema.ts';
import {
  type FaultNode,
  type FaultProcess,
  startFaultNode,
  startFaultWorker,
} from '../support/fault-node.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';
import { type Checks, RotationLoad, type Verifier } from './rotation-load.ts';

// Everything that takes days in production, in seconds: a key signs for five, is announced for as
// long, and its last token lives for eight. `ROTATION_SECONDS=180` runs it for three minutes.
const seconds = Number(process.env.ROTATION_SECONDS ?? 40);
const periodSeconds = 5;
const env = {
  KEY_ROTATION_SECONDS: String(periodSeconds),
  KEY_ANNOUNCE_SECONDS: '5',
  JWKS_MAX_AGE_SECONDS: '1',
  JWKS_CLIENT_CACHE_SECONDS: '2',
  JWKS_MAX_KEYS: '20',
  CLOCK_SKEW_SECONDS: '1',
  ACCESS_TOKEN_EXPIRY_MS: '8000',
};
const checksPerSecond = 120;
const users = 8;
const refreshMs = 700;

let database: TestDatabase;
let nodes: FaultNode[];
let workers: FaultProcess[];

beforeAll(async () => {
  database = await createTestDatabase();
  await withClient(database.ownerUrl, (client) => installJobSchema(client, 'latchkey_app'));
  const options = { databaseUrl: database.appUrl, env };
  nodes = [await startFaultNode(options), await startFaultNode(options)];
  workers = await Promise.all([1, 2, 3].map(() => startFaultWorker(options)));
}, 60_000);
afterAll(async () => {
  await Promise.all([...(workers ?? []), ...(nodes ?? [])].map((each) => each.kill9()));
  await database.drop();
});

const jwksUrl = () => new URL('/.well-known/jwks.json', nodes[0]!.url);
const goodBy = (keys: () => JWTVerifyGetKey) => (token: string) =>
  jwtVerify(token, keys(), { issuer: 'http://latchkey.test', clockTolerance: 1 }).then(
    () => true,
    () => false,
  );

/** Latchkey itself; a library that caches as long as it does, scaled; and one without any wit. */
function verifiers(signal: AbortSignal): Verifier[] {
  const remote = createRemoteJWKSet(jwksUrl(), { cacheMaxAge: 2_000, cooldownDuration: 100 });
  let fetched: JWTVerifyGetKey = remote;
  const fetchAgain = async () => {
    while (!signal.aborted) {
      fetched = createLocalJWKSet((await (await fetch(jwksUrl())).json()) as JSONWebKeySet);
      await sleep(2_000);
    }
  };
  void fetchAgain();
  let turn = 0;
  const own = async (token: string) => {
    turn += 1;
    const answer = await nodes[turn % nodes.length]!.call('GET', '/auth/verify', { token });
    return answer.status === 204;
  };
  return [
    { name: '/auth/verify', accepts: own, hearsOfLogouts: true },
    { name: 'jose, remote JWKS', accepts: goodBy(() => remote), hearsOfLogouts: false },
    { name: 'fetches every 2 s', accepts: goodBy(() => fetched), hearsOfLogouts: false },
  ];
}

/** How many keys are active, as seen again and again until aborted. */
async function activeCounts(signal: AbortSignal): Promise<Map<number, number>> {
  const seen = new Map<number, number>();
  const client = new pg.Client({ connectionString: database.appUrl });
  await client.connect();
  while (!signal.aborted) {
    const { rows } = await client.query(
      `select count(*)::int as active from latchkey.keysets, jsonb_array_elements(keys) as key
        where keyset_id = $1 and key ->> 'status' = 'active'`,
      [issuerKeysetId],
    );
    seen.set(rows[0].active, (seen.get(rows[0].active) ?? 0) + 1);
    await sleep(10);
  }
  await client.end();
  return seen;
}

/** The times of activation, epoch milliseconds, without that of the first key. */
async function activations(): Promise<number[]> {
  return withClient(database.appUrl, async (client) => {
    const { rows } = await client.query(
      `select (data ->> 'at')::float8 as at from latchkey.events
        where stream_id = $1 and type = 'KeyActivated' order by pos offset 1`,
      [issuerKeysetId],
    );
    return rows.map(({ at }) => at);
  });
}

const line = (name: string, { valid, ofEarlierKeys, revoked, ...wrong }: Checks) =>
  `${name}: ${valid} checks of valid tokens (${ofEarlierKeys} of earlier keys), ` +
  `${wrong.validRefused.length} refused; ` +
  `${revoked} of revoked ones, ${wrong.revokedAccepted.length} accepted`;

it('keys rotate under load: no good token is refused, and no ended one accepted', async () => {
  const stopping = new AbortController();
  const { signal } = stopping;
  const load = new RotationLoad(nodes);
  const judges = verifiers(signal);
  const living = Array.from({ length: users }, (_, n) =>
    load.live(`user.${n}@example.com`, refreshMs, signal),
  );
  const judging = judges.map((verifier) => load.judge(verifier, checksPerSecond, signal));
  const watching = activeCounts(signal);
  await Promise.race([sleep(seconds * 1000), ...living]);
  stopping.abort();
  await Promise.all(living);
  const results = await Promise.all(judging);
  const active = await watching;
  const times = await activations();
  const gaps = times.slice(1).map((at, index) => (at - times[index]!) / 1000);

  for (const [index, checks] of results.entries()) console.info(line(judges[index]!.name, checks));
  console.info(`${load.logins} logins, ${load.refreshes} refreshes, ${load.logouts} logouts`);
  console.info(
    `${times.length} activations in ${seconds} s with ${workers.length} workers, ` +
      `${Math.min(...gaps)} to ${Math.max(...gaps)} s apart; ` +
      `active keys: ${[...active].map(([keys, looks]) => `${keys} in ${looks} looks`)}`,
  );

  for (const { valid, revoked, ofEarlierKeys, validRefused, revokedAccepted } of results) {
    expect(validRefused).toEqual([]);
    expect(revokedAccepted).toEqual([]);
    expect((valid + revoked) / seconds).toBeGreaterThanOrEqual(100);
    expect(ofEarlierKeys).toBeGreaterThan(seconds);
  }
  expect(results[0]!.revoked).toBeGreaterThan(seconds);
  expect([...active.keys()]).toEqual([1]);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(periodSeconds);
  expect(Math.max(...gaps)).toBeLessThan(periodSeconds + 1);
  expect(times.length).toBeGreaterThanOrEqual(Math.floor(seconds / (periodSeconds + 1)) - 1);
}, 300_000);
