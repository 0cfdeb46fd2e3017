import { createSecretKey, randomBytes } from 'node:crypto';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  deriveSuccessorSecret,
  encodeRefreshToken,
} from '../../src/domain/session/refresh-token.ts';
import { type KeyWrap, localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { openPersonalData, subjectKeyId } from '../../src/platform/crypto/subject-cipher.ts';
import { dumpedTables, filesBelow, type Place } from '../support/at-rest.ts';
import {
  type FaultNode,
  type FaultProcess,
  faultKek,
  startFaultNode,
  startFaultWorker,
} from '../support/fault-node.ts';
import { SecretHolders, secretOf } from '../support/made-secrets.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/postgres.ts';
import { type Finding, type Secret, SecretSearch } from '../support/secret-search.ts';

const accounts = 100;
const loginsPerAccount = 10;
const planted = { name: 'the planted secret', bytes: randomBytes(32) };
const [kekId, kekText] = faultKek.split(':') as [string, string];
const kek = Buffer.from(kekText, 'base64url');
const keyWrap: KeyWrap = localKeyWrap([{ id: kekId, key: kek }]);

let postgres: PrivatePostgres;
let owner: pg.Client;
let service: FaultNode;
let worker: FaultProcess;
let holders: SecretHolders;

/** A thousand logins, refreshes, rotations of the keys; secrets of every kind are handed out. */
beforeAll(async () => {
  // No WAL is recycled: what was written once is there at the end.
  postgres = await startPrivatePostgres({
    settings: { wal_keep_size: '4GB', max_wal_size: '4GB' },
  });
  owner = new pg.Client({ connectionString: postgres.ownerUrl });
  await owner.connect();
  const administrator = { email: 'admin@example.com', password: randomBytes(24).toString('hex') };
  const env = {
    LOG_LEVEL: 'debug',
    ADMIN_EMAIL: administrator.email,
    ADMIN_PASSWORD: administrator.password,
  };
  service = await startFaultNode({ databaseUrl: postgres.appUrl, env });
  worker = await startFaultWorker({ databaseUrl: postgres.appUrl, env: { LOG_LEVEL: 'debug' } });
  holders = new SecretHolders(service);
  holders.keep('a password', administrator.password);
  await useEverything(administrator);
  await collectKeys();
}, 400_000);
afterAll(async () => {
  await Promise.all([service, worker].map((each) => each.kill9()));
  await owner.end().catch(() => {});
  await postgres.remove();
});

async function useEverything(administrator: { email: string; password: string }): Promise<void> {
  let begun = 0;
  const somebody = async () => {
    while (begun++ < accounts) {
      const account = await holders.register();
      for (let login = 0; login < loginsPerAccount - 1; login += 1) {
        const type = ['web', 'mobile', 'desktop', 'tablet', 'iot'][login % 5]!;
        const transport = login % 3 === 0 ? 'cookie' : 'body';
        await holders.logIn(account, { device: { type }, transport });
      }
      await holders.changePassword(account);
    }
  };
  await Promise.all(Array.from({ length: 8 }, somebody));
  await holders.administer(await holders.logIn(administrator, { device: { type: 'service' } }));
  const late = await holders.register();
  for (const type of ['web', 'mobile', 'desktop', 'tablet', 'iot', 'iot', 'iot']) {
    await holders.logIn(late, { device: { type } });
  }
  await holders.refreshAll();
  await holders.refreshAll();
}

/** What the service made and nobody was given: opened with the KEK, as the service itself does. */
async function collectKeys(): Promise<void> {
  holders.keep('the KEK', kek);
  for (const { kid, bytes } of await openedKeys()) {
    const text = bytes.toString();
    if (text.startsWith('{')) {
      const jwk = JSON.parse(text) as { d: string };
      holders.keep(`the private key ${kid}`, Buffer.from(jwk.d, 'base64url'));
    } else holders.keep(kid, bytes);
  }
  for (const url of [postgres.ownerUrl, postgres.appUrl]) {
    holders.keep('a password of Postgres', decodeURIComponent(new URL(url).password));
  }
}

async function openedKeys(): Promise<{ kid: string; bytes: Buffer }[]> {
  const { rows } = await owner.query(`select kid, wrapped from latchkey.key_secrets
    union all select subject_id::text, wrapped from latchkey.subject_keys`);
  const keyIdOf = (kid: string) => (/^[0-9a-f]{8}-/.test(kid) ? [subjectKeyId(kid), kid] : [kid]);
  return Promise.all(
    rows.map(async ({ kid, wrapped }) => {
      for (const keyId of keyIdOf(kid)) {
        const bytes = await keyWrap.unwrap(keyId, wrapped).catch(() => null);
        if (bytes !== null) return { kid, bytes: Buffer.from(bytes) };
      }
      throw new Error(`${kid} does not open`);
    }),
  );
}

function findIn(places: Iterable<Place>, secrets: readonly Secret[]): Finding[] {
  const search = new SecretSearch(secrets);
  return [...places].flatMap(({ place, bytes }) => search.find(bytes, place));
}

const kinds = () => new Set(holders.secrets.map(({ name }) => name));

describe('after a thousand logins, refreshes of all of them and rotations of the keys', () => {
  it('secrets of every kind were made', () => {
    expect(holders.logins).toBeGreaterThanOrEqual(accounts * loginsPerAccount);
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
    ];
    for (const kind of expected) expect(kinds()).toContain(kind);
    const privateKeys = [...kinds()].filter((name) => name.startsWith('the private key'));
    expect(privateKeys.length).toBeGreaterThanOrEqual(5);
  });

  // Fails when what the KEK opens helps: a secret in personal data, or one that is not drawn at
  // random.
  it('nothing that the KEK opens is, or makes, a refresh token', async () => {
    const tokens = holders.secrets.filter(({ name }) => /token/.test(name));
    const keys = await openedKeys();
    const opened = keys.map(({ kid, bytes }): Place => ({ place: kid, bytes }));
    opened.push(...(await openedPersonalData(new Map(keys.map((key) => [key.kid, key.bytes])))));
    expect(opened.length).toBeGreaterThan(accounts * loginsPerAccount);
    expect(findIn(opened, tokens)).toEqual([]);

    const macKey = createSecretKey(keys.find(({ kid }) => kid === 'refresh-mac-1')!.bytes);
    const forge = (sessionId: string, generation: number, secret: Buffer) =>
      encodeRefreshToken({ sessionId, generation, secret, macKeyId: 1, macKey });
    const { rows } =
      await owner.query(`select session_id, generation, secret_hash, parent_hash, salt
      from latchkey.sessions where status = 'live' and secret_hash is not null and generation > 1
      order by session_id limit 7`);
    expect(rows).toHaveLength(7);
    const [honest, ...victims] = rows;
    const guesses = victims.map(({ session_id, generation, secret_hash, parent_hash, salt }, n) => {
      const of = (text: string) => Buffer.from(text, 'base64url');
      const from = (secret: string) =>
        deriveSuccessorSecret(of(secret), salt, session_id, generation);
      const salted = Buffer.concat([of(salt), of(salt)]);
      const guess = [
        of(secret_hash),
        of(parent_hash),
        salted,
        from(secret_hash),
        from(parent_hash),
      ];
      return forge(session_id, generation, guess[n] ?? Buffer.alloc(32));
    });
    for (const refresh_token of guesses) {
      const { status } = await service.call('POST', '/auth/refresh', { body: { refresh_token } });
      expect(status).toBe(401);
    }
    // The same way to make one, with a secret that only its holder has.
    const { session_id, generation } = honest;
    const secret = secretOf(holders.refreshTokens.get(session_id)!);
    const refresh_token = forge(session_id, generation, secret);
    const { status } = await service.call('POST', '/auth/refresh', { body: { refresh_token } });
    expect(status).toBe(200);
  });

  // Fails when any of them is written anywhere as it is; the last lines fail when this finds
  // nothing at all.
  it('none stands in the dump, the files, the WAL or the logs, but a planted one', async () => {
    const logged = [service, worker].map(({ lines }, n): Place => {
      return { place: `log of process ${n}`, bytes: Buffer.from(lines.join('\n')) };
    });
    expect(service.lines.length).toBeGreaterThan(accounts * loginsPerAccount);
    const { rows } = await owner.query(
      `select $1::bytea as raw, encode($1, 'hex') as hex, encode($1, 'base64') as base64`,
      [planted.bytes],
    );
    const d = planted.bytes.toString('base64url');
    await owner.query('create table latchkey.planted (raw bytea, hex text, base64 text, jwk json)');
    await owner.query('insert into latchkey.planted values ($1, $2, $3, $4)', [
      rows[0].raw,
      rows[0].hex,
      rows[0].base64,
      { kty: 'OKP', d },
    ]);
    await owner.query(`do $$ begin raise log '%', '${rows[0].hex}'; end $$`);

    const secrets = [...holders.secrets, planted];
    const found: Finding[] = findIn(logged, secrets);
    const search = new SecretSearch(secrets);
    for await (const { place, bytes } of dumpedTables(owner))
      found.push(...search.find(bytes, place));
    await owner.query('checkpoint');
    await owner.end();
    await Promise.all([service.terminate(), worker.terminate()]);
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
  });
});

/** All personal data of events, users and sessions. */
async function openedPersonalData(keys: ReadonlyMap<string, Buffer>): Promise<Place[]> {
  const { rows } = await owner.query(`
    select subject_id::text as subject, pii from latchkey.events where pii is not null
    union all select user_id::text, pii from latchkey.users where pii is not null
    union all select user_id::text, pii from latchkey.sessions where pii is not null
    union all select user_id::text, end_pii from latchkey.sessions where end_pii is not null`);
  return rows
    .filter(({ pii }) => pii.length > 0)
    .map(({ subject, pii }) => {
      const data = openPersonalData(keys.get(subject)!, subject, pii);
      return { place: `personal data of ${subject}`, bytes: Buffer.from(JSON.stringify(data)) };
    });
}
