import { createSecretKey, randomBytes } from 'node:crypto';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyWrap, localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import {
  dumpedTables,
  filesBelow,
  heldInRedis,
  type Place,
  plantEverywhere,
  plantInPostgres,
} from '../support/at-rest.ts';
import {
  type FaultNode,
  type FaultProcess,
  faultKek,
  startFaultNode,
  startFaultWorker,
  until,
} from '../support/fault-node.ts';
import { forgedToken, guessedTokens } from '../support/forged-tokens.ts';
import { ProofHolders } from '../support/made-proofs.ts';
import { SecretHolders, secretOf } from '../support/made-secrets.ts';
import { openedKeys, openedPersonalData, privatePartOf } from '../support/opened-keys.ts';
import { type PrivatePostgres, startPrivatePostgres, withClient } from '../support/postgres.ts';
import { modelPosition, startRedis, type TestRedis } from '../support/redis.ts';
import { type Finding, type Secret, SecretSearch } from '../support/secret-search.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const accounts = 100;
const loginsPerAccount = 10;
const planted = { name: 'the planted secret', bytes: randomBytes(32) };
const [kekId, kekText] = faultKek.split(':') as [string, string];
const kek = Buffer.from(kekText, 'base64url');
const keyWrap: KeyWrap = localKeyWrap([{ id: kekId, key: kek }]);

let postgres: PrivatePostgres;
let redis: TestRedis;
let owner: pg.Client;
let service: FaultNode;
/** Beside it, with rate limits, which keep counts in Redis. */
let limited: FaultNode;
let worker: FaultProcess;
let smtp: TestSmtp;
let holders: SecretHolders;
let proofs: ProofHolders;
/** Their private keys go with them, so they are looked at meanwhile. */
const keysOfSessions = new Map<string, Buffer>();

/** Secrets of every kind are handed out. */
beforeAll(async () => {
  // No WAL is recycled: what was written once is there at the end.
  postgres = await startPrivatePostgres({
    settings: { wal_keep_size: '4GB', max_wal_size: '4GB' },
  });
  owner = new pg.Client({ connectionString: postgres.ownerUrl });
  await owner.connect();
  const administrator = { email: 'admin@example.com', password: randomBytes(24).toString('hex') };
  const redisPassword = randomBytes(24).toString('hex');
  redis = await startRedis(['--requirepass', redisPassword]);
  // Only https lets a browser bind its session to a key.
  const issuer = 'https://latchkey.test';
  smtp = await startSmtp();
  const common = {
    LOG_LEVEL: 'debug',
    REDIS_URL: redis.url,
    ISSUER: issuer,
    SMTP_URL: smtp.url,
    MAIL_FROM: 'latchkey@example.com',
  };
  const env = {
    ...common,
    SIGNING_WEB: 'session',
    ADMIN_EMAIL: administrator.email,
    ADMIN_PASSWORD: administrator.password,
  };
  const databaseUrl = postgres.appUrl;
  service = await startFaultNode({ databaseUrl, env });
  limited = await startFaultNode({ databaseUrl, env: { ...env, RATE_LIMITS: 'on' } });
  worker = await startFaultWorker({ databaseUrl, env: common });
  holders = new SecretHolders(service);
  proofs = new ProofHolders(service, holders, smtp);
  holders.keep('a password', administrator.password);
  holders.keep('a password of Redis', redisPassword);
  await useEverything(administrator);
  await collectKeys();
}, 400_000);
afterAll(async () => {
  await Promise.all([service, limited, worker].map((each) => each?.kill9()));
  await redis?.stop();
  await smtp?.stop();
  await owner.end().catch(() => {});
  await postgres.remove();
});

async function useEverything(administrator: { email: string; password: string }): Promise<void> {
  let begun = 0;
  const somebody = async () => {
    while (begun++ < accounts) {
      const isOdd = begun % 2 === 1;
      const account = await holders.register();
      for (let login = 0; login < loginsPerAccount - 1; login += 1) {
        const type = ['web', 'mobile', 'desktop', 'tablet', 'iot'][login % 5]!;
        const transport = login % 3 === 0 ? 'cookie' : 'body';
        await holders.logIn(account, { device: { type }, transport });
      }
      await keepKeysOfSessions();
      await holders.changePassword(account);
      await proofs.logInByCode(account);
      const renewed = await proofs.reset(account);
      if (isOdd) await proofs.erase(renewed);
      else await proofs.useSecondFactor(renewed);
    }
  };
  await Promise.all(Array.from({ length: 8 }, somebody));
  await holders.administer(await holders.logIn(administrator, { device: { type: 'service' } }));
  const late = await holders.register();
  for (const type of ['web', 'mobile', 'desktop', 'tablet', 'iot', 'iot', 'iot']) {
    await holders.logIn(late, { device: { type } });
  }
  await holders.bindBrowser(await holders.register());
  await holders.refreshAll();
  await holders.refreshAll();
  const limitedHolders = new SecretHolders(limited);
  const account = await limitedHolders.register();
  await limitedHolders.logIn(account, { device: { type: 'web' } });
  await limitedHolders.refreshAll();
  holders.secrets.push(...limitedHolders.secrets);
  await keepKeysOfSessions();
}

async function keepKeysOfSessions(): Promise<void> {
  const { rows } = await withClient(postgres.ownerUrl, (client) =>
    client.query('select kid, wrapped from latchkey.session_key_secrets'),
  );
  for (const { kid, wrapped } of rows) {
    if (keysOfSessions.has(kid)) continue;
    keysOfSessions.set(kid, Buffer.from(await keyWrap.unwrap(kid, wrapped)));
  }
}

/** What the service made and nobody was given: opened with the KEK, as the service itself does. */
async function collectKeys(): Promise<void> {
  holders.keep('the KEK', kek);
  for (const { kid, bytes } of await openedKeys(owner, keyWrap)) {
    if (keysOfSessions.has(kid)) continue;
    const d = privatePartOf(bytes);
    holders.keep(d === null ? kid : `the private key ${kid}`, d ?? bytes);
  }
  for (const bytes of keysOfSessions.values()) {
    holders.keep('the private key of a session', privatePartOf(bytes)!);
  }
  for (const url of [postgres.ownerUrl, postgres.appUrl]) {
    holders.keep('a password of Postgres', decodeURIComponent(new URL(url).password));
  }
}

function findIn(places: Iterable<Place>, secrets: readonly Secret[]): Finding[] {
  const search = new SecretSearch(secrets);
  return [...places].flatMap(({ place, bytes }) => search.find(bytes, place));
}

const kinds = () => new Set(holders.secrets.map(({ name }) => name));

describe('after a thousand logins, and codes, resets, erasures, refreshes and new keys', () => {
  it('secrets of every kind were made', () => {
    expect(holders.logins).toBeGreaterThanOrEqual(accounts * loginsPerAccount);
    expect(proofs.done).toMatchObject({ codes: accounts, resets: accounts });
    expect(proofs.done.secondFactors + proofs.done.erasures).toBe(accounts);
    const expected = [
      'a password',
      'a refresh token',
      'a device token',
      'an access token',
      'a client secret',
      'an invite',
      'an idempotency key',
      'the KEK',
      'refresh-mac-1',
      'identifier-lookup',
      'record-seal',
      'a password of Postgres',
      'a password of Redis',
      'the private key of a session',
      'a bound cookie',
      'a request for a code',
      'the secret of a link',
      'the secret of an app',
      'a recovery code',
      'a login challenge',
    ];
    for (const kind of expected) expect(kinds()).toContain(kind);
    // The newest web session of each account, and those of the last people.
    expect(keysOfSessions.size).toBeGreaterThan(accounts);
    const privateKeys = [...kinds()].filter((name) => name.startsWith('the private key'));
    expect(privateKeys.length).toBeGreaterThanOrEqual(5);
  });

  // Fails when what the KEK opens helps: a secret in personal data, or one that is not drawn at
  // random.
  it('nothing that the KEK opens is, or makes, a refresh token', async () => {
    const tokens = holders.secrets.filter(({ name }) => /token/.test(name));
    const keys = await openedKeys(owner, keyWrap);
    expect(keys.some(({ kid }) => keysOfSessions.has(kid))).toBe(true);
    const opened = keys.map(({ kid, bytes }): Place => ({ place: kid, bytes }));
    opened.push(...(await openedPersonalData(owner, keys)));
    expect(opened.length).toBeGreaterThan(accounts * loginsPerAccount);
    expect(findIn(opened, tokens)).toEqual([]);

    const macKey = createSecretKey(keys.find(({ kid }) => kid === 'refresh-mac-1')!.bytes);
    const { rows } =
      await owner.query(`select session_id, generation, secret_hash, parent_hash, salt
      from latchkey.sessions where status = 'live' and secret_hash is not null and generation > 1
      order by session_id limit 7`);
    expect(rows).toHaveLength(7);
    const [honest, ...victims] = rows;
    for (const refresh_token of guessedTokens(macKey, victims)) {
      const { status } = await service.call('POST', '/auth/refresh', { body: { refresh_token } });
      expect(status).toBe(401);
    }
    // The same way to make one, with a secret that only its holder has.
    const secret = secretOf(holders.refreshTokens.get(honest.session_id)!);
    const refresh_token = forgedToken(macKey, honest, secret);
    const { status } = await service.call('POST', '/auth/refresh', { body: { refresh_token } });
    expect(status).toBe(200);
  });

  // Fails when any of them is written anywhere as it is; the last lines fail when this finds
  // nothing at all.
  it('none stands in the dump, files, WAL, logs or Redis, but a planted one', async () => {
    const logged = [service, limited, worker].map(({ lines }, n): Place => {
      return { place: `log of process ${n}`, bytes: Buffer.from(lines.join('\n')) };
    });
    expect(service.lines.length).toBeGreaterThan(accounts * loginsPerAccount);
    await plantInPostgres(owner, planted.bytes);

    await plantInRedis();

    const secrets = [...holders.secrets, planted];
    const found: Finding[] = findIn(logged, secrets);
    const search = new SecretSearch(secrets);
    const keysInRedis: string[] = [];
    for await (const { place, bytes } of heldInRedis(redis.client)) {
      keysInRedis.push(place);
      found.push(...search.find(bytes, place));
    }
    for (const kept of ['blacklist:', 'auth:keys:jwk:', 'auth:keys:recent', 'latchkey:limit:']) {
      expect(keysInRedis).toContainEqual(expect.stringContaining(`Redis: ${kept}`));
    }
    for await (const { place, bytes } of dumpedTables(owner))
      found.push(...search.find(bytes, place));
    await owner.query('checkpoint');
    await owner.end();
    await Promise.all([service, limited, worker].map((each) => each.terminate()));
    await postgres.stop();
    let bytesRead = 0;
    for (const { place, bytes } of filesBelow(postgres.dataDir)) {
      bytesRead += bytes.length;
      // Where the embedded Postgres keeps its own password, for this user only.
      if (place === 'postgres-password') continue;
      found.push(...search.find(bytes, place));
    }
    const { needles } = search;
    console.info(`${secrets.length} secrets, ${needles} spellings, ${bytesRead >> 20} MB of files`);

    expect(found.filter(({ name }) => name !== planted.name)).toEqual([]);
    const spellingsIn = (isPlace: (place: string) => boolean) =>
      new Set(found.filter(({ place }) => isPlace(place)).map(({ spelling }) => spelling));
    const inDump = spellingsIn((place) => place === 'dump: latchkey.planted');
    const inFiles = spellingsIn((place) => place.startsWith(path.join('postgres', 'base')));
    const inWal = spellingsIn((place) => place.startsWith(path.join('postgres', 'pg_wal')));
    expect([...inDump].sort()).toEqual(expect.arrayContaining(['base64url + 0', 'hex']));
    for (const place of [inFiles, inWal]) {
      expect([...place].sort()).toEqual(expect.arrayContaining(['base64url + 0', 'hex', 'raw']));
    }
    expect(spellingsIn((place) => place === 'postgres-server.log')).toContain('hex');
    const inRedis = (key: string) => [...spellingsIn((place) => place === `Redis: ${key}`)];
    expect(inRedis('planted:string')).toEqual(['raw']);
    for (const key of ['planted:set', 'planted:zset', 'planted:hash']) {
      expect(inRedis(key)).toEqual(['hex']);
    }
    expect(inRedis(`planted:${planted.bytes.toString('hex')}`)).toEqual(['hex']);
  });
});

/** When the model has taken in all that was done before. */
async function plantInRedis(): Promise<void> {
  const { rows } = await owner.query('select max(pos)::text as head from latchkey.events');
  await until(async () => (await modelPosition(redis)) >= Number(rows[0].head), 60_000);
  await plantEverywhere(redis.client, planted.bytes);
}
