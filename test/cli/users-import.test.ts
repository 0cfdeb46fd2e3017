import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi } from '../support/api.ts';
import { bcryptHash } from '../support/bcrypt.ts';
import { runLatchkey } from '../support/run-latchkey.ts';

const kek = `test:${randomBytes(32).toString('base64url')}`;
const password = 'short';
const password_hash = bcryptHash(password);
const directory = mkdtempSync(path.join(tmpdir(), 'latchkey-import-'));
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0', KEK: kek });
});
afterAll(async () => {
  await api.stop();
  rmSync(directory, { recursive: true });
});

function aFile(text: string): string {
  const file = path.join(directory, `${randomUUID()}.ndjson`);
  writeFileSync(file, text);
  return file;
}

function latchkey(...args: string[]) {
  const env = { DATABASE_URL: api.database.appUrl, APP_ENV: 'dev', LOG_LEVEL: 'fatal', KEK: kek };
  return runLatchkey(['users', ...args], env);
}

const statusOfLogin = async (email: string) =>
  (await api.call('POST', '/auth/login', { body: { email, password } })).status;
const readRejects = (file: string) =>
  readFileSync(`${file}.rejects.ndjson`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

// Each starts processes: on a busy machine that takes seconds.
describe('latchkey users import', { timeout: 60_000 }, () => {
  const emails = [anEmail(), anEmail()];
  const good = emails.map((email) => ({ id: randomUUID(), email, password_hash }));
  const lines = [
    JSON.stringify(good[0]),
    '{"id": broken',
    '',
    JSON.stringify({ ...good[0], id: randomUUID() }),
    JSON.stringify({ id: randomUUID(), email: anEmail(), password_hash: 'plain', name: 'ä' }),
    JSON.stringify({ id: randomUUID(), email: anEmail(), roles: ['latchkey:admin'] }),
    JSON.stringify(good[1]),
  ];
  const file = aFile(`\ufeff${lines.join('\r\n')}`);
  const refused = [
    { line: 2, reason: 'not_json', user: '{"id": broken\r' },
    { line: 4, reason: 'address_known' },
    { line: 5, reason: 'hash_unknown', user: { name: 'ä' } },
    { line: 6, reason: 'role_reserved' },
  ];

  it('says what it would do, and does nothing', async () => {
    const { code, stdout, stderr } = await latchkey('import', file, '--dry-run');
    expect(code, stderr).toBe(2);
    expect(stdout).toContain('2 users would be imported, 0 were there already, 4 refused');
    expect(stdout).toMatch(/ 1 {2}role_reserved: /);
    expect(stderr).toContain('line 2: not_json: ');
    expect(readRejects(file)).toMatchObject(
      [...refused].sort((a, b) => readOrder(a.reason) - readOrder(b.reason)),
    );
    expect(await statusOfLogin(emails[0]!)).toBe(401);
  });
  // Within a batch, what the file alone decides comes before what the database decides.
  const readOrder = (reason: string) => (reason === 'address_known' ? 1 : 0);

  it('imports the good lines, and keeps the bad ones where only the owner reads them', async () => {
    chmodSync(`${file}.rejects.ndjson`, 0o644);
    const { code, stdout, stderr } = await latchkey('import', file);
    expect(code, stderr).toBe(2);
    expect(stdout).toContain('2 users imported, 0 were there already, 4 refused');
    expect(readRejects(file)).toHaveLength(4);
    expect(statSync(`${file}.rejects.ndjson`).mode & 0o777).toBe(0o600);
    expect([stdout, stderr].join()).not.toMatch(/example\.com|\$2b\$|\r/);
    expect(await statusOfLogin(emails[0]!)).toBe(200);
    expect(await statusOfLogin(emails[1]!)).toBe(200);
  });

  it('makes nobody twice when it runs again', async () => {
    const { stdout } = await latchkey('import', file);
    expect(stdout).toContain('0 users imported, 2 were there already, 4 refused');
  });

  it('believes verified addresses only when it is told to', async () => {
    const [doubted, trusted] = [anEmail(), anEmail()];
    const line = (email: string) =>
      JSON.stringify({ id: randomUUID(), email, email_verified: true });
    expect((await latchkey('import', aFile(line(doubted)))).code).toBe(0);
    expect((await latchkey('import', aFile(line(trusted)), '--trust-verified')).code).toBe(0);
    const { access_token: token } = await api.admin();
    for (const [email, email_verified] of [
      [doubted, false],
      [trusted, true],
    ] as const) {
      const found = await api.call('GET', `/admin/users?email=${encodeURIComponent(email)}`, {
        token,
      });
      expect(found.body.users).toMatchObject([{ email_verified }]);
    }
  });

  it('reads the file of a whole realm, however it is laid out', async () => {
    const email = anEmail();
    const users = [{ id: randomUUID(), username: 'x', email, enabled: true }, { id: 'nobody' }];
    const realm = { realm: 'shop', roles: { realm: [] }, users, clients: [{ id: randomUUID() }] };
    for (const [layout, said] of [
      [JSON.stringify(realm), '1 users imported, 0 were there already, 1 refused'],
      [JSON.stringify(realm, null, 2), '0 users imported, 1 were there already, 1 refused'],
      [JSON.stringify(users), '0 users imported, 1 were there already, 1 refused'],
      [users.map((user) => JSON.stringify(user)).join('\n'), '0 users imported, 1 were there'],
    ]) {
      const realmFile = aFile(layout!);
      const { stdout, stderr } = await latchkey('import', realmFile, '--from', 'keycloak');
      expect(stdout, stderr).toContain(said);
      expect(stderr).toMatch(/^(user|line) 2: address_invalid: /m);
    }
  });

  it('says how many users had a second factor elsewhere, which is not imported', async () => {
    const users = [['otp'], []].map((types) => ({
      id: randomUUID(),
      email: anEmail(),
      credentials: types.map((type) => ({ type, secretData: '{}' })),
    }));
    const file = aFile(users.map((user) => JSON.stringify(user)).join('\n'));
    const said = '1 users have a second factor in the other system, which is not imported';
    const dry = await latchkey('import', file, '--from', 'keycloak', '--dry-run');
    expect(dry.stdout).toContain(said);
    expect((await latchkey('import', file, '--from', 'keycloak')).stdout).toContain(said);
    expect((await latchkey('import', file, '--from', 'keycloak')).stdout).not.toContain(said);
  });

  // Fails when one user laid out over many lines is a document, of which nothing is read.
  it.each([
    ['one user on many lines', JSON.stringify({ id: '1', email: 'a@example.com' }, null, 2)],
    ['no user of a document', JSON.stringify({ realm: 'shop', users: [] })],
    ['an empty array', '[]'],
    ['nothing', '\n'],
  ])('ends with an error where it finds no users: %s', async (_, text) => {
    const { code, stderr } = await latchkey('import', aFile(text), '--dry-run');
    expect([code, stderr]).toEqual([1, expect.stringContaining('No user was found in the file')]);
  });

  it('keeps no file of rejects of an earlier run when it has refused nobody', async () => {
    const user = { id: randomUUID(), email: anEmail(), password_hash };
    const file = aFile(JSON.stringify({ ...user, password_hash: 'plain' }));
    const refused = await latchkey('import', file);
    expect(refused.stdout).toContain('.rejects.ndjson holds those that were refused, with their p');
    expect(existsSync(`${file}.rejects.ndjson`)).toBe(true);
    writeFileSync(file, JSON.stringify(user));
    expect((await latchkey('import', file)).code).toBe(0);
    expect(existsSync(`${file}.rejects.ndjson`)).toBe(false);
  });

  it('speaks of password hashes only where it has kept one', async () => {
    const file = aFile(JSON.stringify({ id: randomUUID(), email: 'x', password_hash: null }));
    const { stdout } = await latchkey('import', file);
    expect(stdout).toContain(`${file}.rejects.ndjson holds those that were refused.`);
  });

  it('refuses who was erased, and keeps nothing of what the file says of them', async () => {
    const user = { id: randomUUID(), email: anEmail(), name: 'Ada', password_hash };
    const file = aFile(JSON.stringify(user));
    expect((await latchkey('import', file)).code).toBe(0);
    const { access_token: token } = await api.admin();
    expect((await api.call('DELETE', `/admin/users/${user.id}`, { token })).status).toBe(204);
    for (const dry of [['--dry-run'], []]) {
      const { code, stdout, stderr } = await latchkey('import', file, ...dry);
      expect([code, stderr]).toEqual([2, expect.stringContaining('line 1: erased: ')]);
      expect(stdout).not.toContain('hashes');
      expect(readRejects(file)).toEqual([
        { line: 1, reason: 'erased', why: 'This user was erased here, and stays so.' },
      ]);
    }
  });

  it('ends with an error where the file is damaged, or nothing like users', async () => {
    const cut = aFile('[{"id": "1", "email": "a@example.com"}, {"id": ');
    const damaged = await latchkey('import', cut, '--dry-run');
    expect(damaged).toMatchObject({ code: 1, stderr: expect.stringMatching(/after \d users/) });
    const unknown = await latchkey('import', cut, '--from', 'okta');
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('keycloak, auth0') });
    const missing = await latchkey('import', path.join(directory, 'none'));
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') });
    const same = await latchkey('import', cut, '--rejects', cut);
    expect(same).toMatchObject({ code: 1, stderr: expect.stringContaining('must not be') });
  });
});
