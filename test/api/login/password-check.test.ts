import { hash } from '@node-rs/argon2';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  anEmail,
  startTestApi,
  type TestApi,
  testPassword,
} from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
let offsetMs = 0;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0' });
  Object.assign(api.node, { now: () => Date.now() + offsetMs });
});
afterAll(() => api.stop());

const attempt = (email: string, password: string) =>
  api.call('POST', '/auth/login', { body: { email, password } });
const wrong = 'a long and different sentence';
/** All that a client can compare, but the id of the request. */
const seen = ({ status, headers, body: { request_id: _, ...body } }: Answer) => ({
  status,
  body,
  headers: [...headers.keys()].filter((name) => name !== 'date').sort(),
  length: headers.get('content-length'),
});
const hashOf = (userId: string) =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query(
      'select hash from latchkey.password_hashes where user_id = $1',
      [userId],
    );
    return rows[0].hash as string;
  });
const events = () =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query('select count(*)::integer as n from latchkey.events');
    return rows[0].n as number;
  });

describe('a refused login', () => {
  // Fails when an unknown, disabled or locked user is answered before, or otherwise than, a wrong password.
  it('looks the same whatever refused it', async () => {
    const { email } = await api.register();
    const disabled = await api.register();
    const admin = await api.admin();
    await api.call('POST', `/admin/users/${disabled.id}/disable`, { token: admin.access_token });
    const locked = await api.register();
    for (let count = 0; count < 10; count += 1) await attempt(locked.email, wrong);

    const reference = seen(await attempt(email, wrong));
    expect(reference.status).toBe(401);
    expect(reference.body.code).toBe('invalid_credentials');
    for (const [who, password] of [
      [anEmail(), testPassword],
      [disabled.email, testPassword],
      [locked.email, testPassword],
      ['', ''],
      ['not an address', wrong],
      [email, ''],
      [email, 'x'.repeat(1024)],
      [email, '🗝'.repeat(1024)],
      ['@'.repeat(1024), testPassword],
      [email, `${testPassword}\0`],
      [email, `${testPassword}\ud800`],
      [`${email}\0`, testPassword],
      [`\udc00${email}`, testPassword],
      ['\ud800', '\0'],
    ] as const) {
      expect(seen(await attempt(who, password)), `${who}`).toEqual(reference);
    }
  });

  // Fails when half a surrogate pair is compared as the replacement character that stands for it.
  it('is one whose password is ill-formed text, and it counts as any wrong one', async () => {
    const email = anEmail();
    const body = { email, password: `${testPassword}\ufffd` };
    const { id } = (await api.call('POST', '/auth/register', { body })).body.user;
    expect((await attempt(email, `${testPassword}\ud800`)).status).toBe(401);
    expect((await api.eventsOf(id)).at(-1)!.type).toBe('PasswordCheckFailed');
    expect((await attempt(email, `${testPassword}\ufffd`)).status).toBe(200);
  });

  it('is an event for a known user and none for a stranger', async () => {
    const { email, id } = await api.register();
    const before = await events();
    await attempt(anEmail(), wrong);
    expect(await events()).toBe(before);
    await attempt(email, wrong);
    expect((await api.eventsOf(id)).map(({ type }) => type)).toEqual([
      'UserRegistered',
      'PasswordCheckFailed',
    ]);
  });

  // Fails when shape is decided after the look-up: a shape error must not tell who exists.
  it.each([
    ['a character too many', { email: 'x', password: 'x'.repeat(1025) }],
    ['no password', { email: 'x' }],
    ['a number', { email: 'x', password: 1 }],
    ['an unknown field', { email: 'x', password: 'y', admin: true }],
    ['an unknown device', { email: 'x', password: 'y', device: { type: 'fridge' } }],
  ])('for its shape is a 400: %s', async (_, body) => {
    const answer = await api.call('POST', '/auth/login', { body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

describe('lockout', () => {
  // Fails when ten is another number, when a lock is not looked at for the right password, or when it never ends.
  it('after ten failures refuses the right password for a minute, records nothing more, then lets go', async () => {
    const { email, id } = await api.register();
    for (let count = 0; count < 9; count += 1) await attempt(email, wrong);
    await api.logIn({ email });
    for (let count = 0; count < 10; count += 1) await attempt(email, wrong);
    const recorded = (await api.eventsOf(id)).map(({ type }) => type);
    expect(recorded.slice(-2)).toEqual(['PasswordCheckFailed', 'UserLocked']);

    for (const password of [testPassword, wrong]) {
      expect((await attempt(email, password)).status).toBe(401);
    }
    offsetMs += 59_000;
    expect((await attempt(email, testPassword)).status).toBe(401);
    expect((await api.eventsOf(id)).length).toBe(recorded.length);
    offsetMs += 2_000;
    expect((await attempt(email, testPassword)).status).toBe(200);
    expect((await api.eventsOf(id)).at(-1)!.type).toBe('FailedChecksCleared');
  });

  it('counts failures that arrive at once one by one', async () => {
    const { email, id } = await api.register();
    await Promise.all(Array.from({ length: 14 }, () => attempt(email, wrong)));
    const types = (await api.eventsOf(id)).map(({ type }) => type);
    expect(types.filter((type) => type === 'PasswordCheckFailed')).toHaveLength(10);
    expect(types.filter((type) => type === 'UserLocked')).toHaveLength(1);
  });
});

/** As the service itself would have stored that hash. */
async function reseal(owner: pg.Client, userId: string, hash: string): Promise<void> {
  const { rows } = await owner.query(
    'select password_changed_at from latchkey.users where user_id = $1',
    [userId],
  );
  const mac = api.node.cells.home.readers.seal.row('password_hashes', {
    user_id: userId,
    hash,
    ...rows[0],
  });
  await owner.query('update latchkey.password_hashes set hash = $2, mac = $3 where user_id = $1', [
    userId,
    hash,
    mac,
  ]);
}

describe('a stored hash', () => {
  // Fails when `needsRehash` is ignored, or when the upgrade is not written with the login.
  it('of an older cost is replaced by a login that knows the password, and by no other', async () => {
    const { email, id } = await api.register();
    const cheaper = await hash(testPassword, { memoryCost: 16, timeCost: 1, parallelism: 2 });
    await withClient(api.database.ownerUrl, (owner) => reseal(owner, id, cheaper));
    await attempt(email, wrong);
    expect(await hashOf(id)).toBe(cheaper);
    await api.logIn({ email });
    const upgraded = await hashOf(id);
    expect(upgraded).toContain('m=8,t=1,p=1$');
    await api.logIn({ email });
    expect(await hashOf(id)).toBe(upgraded);
  });
});
