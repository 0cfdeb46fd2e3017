import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findUserByEmail } from '../../../src/app/user/find-user-by-email.ts';
import { RecordSeal } from '../../../src/eventlog/record-seal.ts';
import { rebuildAndCompare } from '../../../src/rebuild/rebuild.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { linkInMail } from '../../support/mail-proofs.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
let without: TestApi;
let mailing: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0', USERNAMES: 'on' });
  without = await api.anotherNode({ USERNAMES: 'off' });
  const smtp = { SMTP_URL: 'smtp://127.0.0.1:25', MAIL_FROM: 'latchkey@example.com' };
  mailing = await api.anotherNode(smtp);
});
afterAll(async () => {
  await mailing.stop();
  await without.stop();
  await api.stop();
});

const names = { made: 0 };
function aName(): string {
  names.made += 1;
  return `person.${names.made}x`;
}
const register = (body: object, on: TestApi = api, headers = {}) =>
  on.call('POST', '/auth/register', {
    body: { email: anEmail(), password: testPassword, ...body },
    headers,
  });
const logIn = (body: object, on: TestApi = api) =>
  on.call('POST', '/auth/login', { body: { password: testPassword, ...body } });

describe('a user with a name', () => {
  it('logs in with any spelling of it, and with the address', async () => {
    const registered = await register({ username: 'Ada.Lovelace' });
    expect(registered).toMatchObject({ status: 201, body: { user: { username: 'ada.lovelace' } } });
    const { id, email } = registered.body.user;
    for (const login of [
      { username: 'ada.lovelace' },
      { username: 'ADA.Lovelace' },
      { username: '\uff41da.lovelace' },
      { email },
    ]) {
      const answer = await logIn(login);
      expect(answer.status, JSON.stringify(login)).toBe(200);
      expect(answer.body.user).toMatchObject({ id, username: 'ada.lovelace' });
    }
  });

  // Fails when an erasure leaves the name behind.
  it('leaves it to others once erased', async () => {
    const username = aName();
    const { id } = (await register({ username })).body.user;
    const { access_token: token } = await api.admin();
    expect((await api.call('DELETE', `/admin/users/${id}`, { token })).status).toBe(204);
    expect(await register({ username })).toMatchObject({
      status: 201,
      body: { user: { username } },
    });
  });

  it('has it alone: at registration, by administrators, in the own profile', async () => {
    const name = aName();
    await register({ username: name });
    const taken = {
      status: 409,
      body: { code: 'conflict', errors: [{ path: 'username', message: expect.any(String) }] },
    };
    expect(await register({ username: name.toUpperCase() })).toMatchObject(taken);
    const { access_token: token } = await api.admin();
    const made = await api.call('POST', '/admin/users', {
      token,
      body: { email: anEmail(), username: name },
    });
    expect(made).toMatchObject(taken);
    const other = (await register({})).body.user;
    const path = `/admin/users/${other.id}/username`;
    expect(await api.call('PUT', path, { token, body: { username: name } })).toMatchObject(taken);
    const own = (await logIn({ email: other.email })).body.access_token;
    const patched = await api.call('PATCH', '/auth/me', { token: own, body: { username: name } });
    expect(patched).toMatchObject(taken);
  });

  // Fails when a name is looked for before it is taken, and nowhere else.
  it('of ten who ask for one name at once, one has it', async () => {
    const name = aName();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => register({ username: name })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
  });

  it('changes it, and the old one is free', async () => {
    const [before, after] = [aName(), aName()];
    const { email } = (await register({ username: before })).body.user;
    const token = (await logIn({ email })).body.access_token;
    const body = { username: after.toUpperCase(), name: 'Ada' };
    const patched = await api.call('PATCH', '/auth/me', { token, body });
    expect(patched).toMatchObject({ status: 200, body: { user: { username: after } } });
    expect((await logIn({ username: before })).status).toBe(401);
    const again = (await logIn({ username: after })).body.access_token;
    expect((await register({ username: before })).status).toBe(201);
    const cleared = await api.call('PATCH', '/auth/me', { token: again, body: { username: null } });
    expect(cleared.status).toBe(400);
    // Another change of the profile leaves it.
    await api.call('PATCH', '/auth/me', { token: again, body: { name: null } });
    expect((await logIn({ username: after })).body.user).toMatchObject({ username: after });
  });

  it('gets one from an administrator, who finds the user by it', async () => {
    const name = aName();
    const { id, email } = (await register({})).body.user;
    const { access_token: token } = await api.admin();
    const path = `/admin/users/${id}/username`;
    expect((await api.call('PUT', path, { token, body: { username: name } })).status).toBe(204);
    const find = async (query: Record<string, string>) =>
      (await api.call('GET', `/admin/users?${new URLSearchParams(query)}`, { token })).body.users;
    expect(await find({ username: name.toUpperCase() })).toMatchObject([{ id, email }]);
    expect(await find({ username: name, email })).toMatchObject([{ id }]);
    expect(await find({ username: name, email: anEmail() })).toEqual([]);
    expect(await find({ username: 'nobody.at.all' })).toEqual([]);
  });

  it('registers once under an Idempotency-Key', async () => {
    const body = { email: anEmail(), username: aName() };
    const once = { 'Idempotency-Key': 'a-named-user' };
    const first = await register(body, api, once);
    expect(await register(body, api, once)).toMatchObject({ status: 201, body: first.body });
    const other = { ...body, username: aName() };
    expect((await register(other, api, once)).status).toBe(409);
  });
});

describe('a name that nobody may have', () => {
  it.each([
    ['admin', 'only the operator'],
    ['Ad.Min', 'only the operator'],
    ['security-team', 'only the operator'],
    ['a b', 'letters, digits'],
    ['someone@example.com', 'no address'],
    ['\u212aim', 'letters, digits'],
    ['..', 'a letter or a digit'],
    ['', '1 to 64 characters'],
  ])('is refused by the rule that it breaks: %j', async (username, rule) => {
    expect(await register({ username })).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_request',
        errors: [{ path: 'username', message: expect.stringContaining(rule) }],
      },
    });
  });
});

describe('a login by name that is refused', () => {
  it('looks the same whether or not the name is known, and however it is spelled', async () => {
    const name = aName();
    await register({ username: name });
    const seen = async (username: string) => {
      const answer = await logIn({ username, password: 'a wrong sentence of words' });
      const { request_id: _, ...body } = answer.body;
      return { status: answer.status, body, length: answer.headers.get('content-length') };
    };
    const known = await seen(name);
    expect(known).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    for (const unknown of [aName(), 'admin', 'a b', '', '@', 'x'.repeat(1_024)]) {
      expect(await seen(unknown), unknown.slice(0, 20)).toEqual(known);
    }
  });

  // Fails when an unknown name costs no hash.
  it('costs a hash either way', async () => {
    const hashes: string[] = [];
    const { hasher } = api.node;
    const verify = hasher.verify.bind(hasher);
    Object.assign(hasher, {
      verify: (...given: Parameters<typeof verify>) => {
        hashes.push(given[0] === null ? 'none' : 'some');
        return verify(...given);
      },
    });
    const name = aName();
    await register({ username: name });
    hashes.length = 0;
    await logIn({ username: name });
    await logIn({ username: aName() });
    await logIn({ username: 'a b' });
    expect(hashes).toEqual(['some', 'none', 'none']);
    Object.assign(hasher, { verify });
  });

  it('names one thing, and not both or none', async () => {
    for (const body of [{}, { email: anEmail(), username: aName() }]) {
      expect(await logIn(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
  });

  it('counts for every spelling of the name together', async () => {
    const limited = await api.anotherNode({ RATE_LIMITS: 'on' });
    const name = aName();
    const spellings = [name, name.toUpperCase(), name.replace('p', '\uff50')];
    const statuses: number[] = [];
    for (let n = 0; n < 21; n += 1) {
      const username = spellings[n % 3];
      statuses.push((await logIn({ username, password: 'no' }, limited)).status);
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(20);
    expect(statuses.at(-1)).toBe(429);
    await limited.stop();
  });
});

describe('where mail proves addresses', () => {
  const says = 'can be chosen once the address is proven';
  const refused = {
    status: 400,
    body: { code: 'invalid_request', errors: [{ path: 'username', message: says }] },
  };
  const rename = (token: string, username: string) =>
    mailing.call('PATCH', '/auth/me', { token, body: { username } });

  // Fails when a name can be taken with an address that nobody owns.
  it('whoever has not proven the address takes no name, free or not', async () => {
    const [email, taken] = [anEmail(), aName()];
    await register({ username: taken });
    expect(await register({ email, username: aName() }, mailing)).toMatchObject(refused);
    await register({ email }, mailing);
    const { access_token: token } = await mailing.logIn({ email });
    expect(await rename(token, aName())).toMatchObject(refused);
    expect(await rename(token, taken)).toMatchObject(refused);
    const other = await mailing.call('PATCH', '/auth/me', { token, body: { name: 'Ada' } });
    expect(other.body.user).toMatchObject({ name: 'Ada', email_verified: false });
    expect(other.body.user).not.toHaveProperty('username');
  });

  it('whoever has proven it does', async () => {
    const [email, name] = [anEmail(), aName()];
    await register({ email }, mailing);
    const id = (await findUserByEmail(mailing.node, email))!.userId;
    const link = await linkInMail(mailing.node, id, 'verification');
    const body = { token: link, password: testPassword };
    expect((await mailing.call('POST', '/auth/verify-email', { body })).status).toBe(204);
    const { access_token: token } = await mailing.logIn({ email });
    expect(await rename(token, name)).toMatchObject({ body: { user: { username: name } } });
  });

  it('a name that an administrator gave stays, and none is chosen before the proof', async () => {
    const { access_token: token } = await mailing.admin();
    const [email, name, later] = [anEmail(), aName(), aName()];
    const body = { email, username: name, password: testPassword };
    const { id } = (await mailing.call('POST', '/admin/users', { token, body })).body.user;
    const own = (await logIn({ username: name }, mailing)).body.access_token;
    expect((await rename(own, name.toUpperCase())).body.user).toMatchObject({ username: name });
    expect(await rename(own, aName())).toMatchObject(refused);
    const path = `/admin/users/${id}/username`;
    const given = await mailing.call('PUT', path, { token, body: { username: later } });
    expect(given.status).toBe(204);
    expect((await logIn({ username: later }, mailing)).status).toBe(200);
  });
});

describe('where user names are off', () => {
  it('nobody takes one or logs in with one, known or not', async () => {
    const name = aName();
    await register({ username: name });
    const refused = { status: 400, body: { code: 'invalid_request' } };
    expect(await register({ username: aName() }, without)).toMatchObject(refused);
    expect(await logIn({ username: name }, without)).toMatchObject(refused);
    expect(await logIn({ username: aName() }, without)).toMatchObject(refused);
  });
});

it('a rebuild makes the lookup of names again, and the log holds no name in clear', async () => {
  const name = aName();
  const { id } = (await register({ username: name })).body.user;
  const { secrets, subjectKeys } = api.node;
  const result = await rebuildAndCompare({
    databaseUrl: api.database.ownerUrl,
    keys: {
      identifierKey: secrets.identifierKey,
      seal: new RecordSeal(secrets.recordSealKey),
      unwrapSubjectKey: (subjectId, wrapped) => subjectKeys.unwrap(subjectId, wrapped),
    },
  });
  expect(result.differences).toEqual([]);
  await withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query(
      `select e::text as event, (select count(*)::int from latchkey.usernames) as names
        from latchkey.events e where stream_id = $1`,
      [id],
    );
    expect(rows[0].names).toBeGreaterThan(0);
    expect(rows.map(({ event }) => event).join()).not.toContain(name);
  });
});
