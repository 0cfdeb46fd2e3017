import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import {
  challengeOf,
  complete,
  StoppedClock,
  type TwoFactorUser,
  twoFactorUser,
} from '../../support/authenticator.ts';
import { provenCall, TestDevice } from '../../support/dpop.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
let clock: StoppedClock;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0', RECENT_AUTHENTICATION_SECONDS: '3600' });
  clock = new StoppedClock(api);
});
afterAll(() => api.stop());

const typesOf = async (id: string) => (await api.eventsOf(id)).map(({ type }) => type);
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
const countOf = (table: string, userId: string) =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query(
      `select count(*)::int as count from latchkey.${table} where user_id = $1`,
      [userId],
    );
    return rows[0].count as number;
  });

describe('a login of a user with a second factor', () => {
  // Fails when a session begins, or a token leaves, after the password alone.
  it('is asked for it, and has no session and no device token before', async () => {
    const { id, email } = await twoFactorUser(api);
    const [sessions, devices] = [await countOf('sessions', id), await countOf('device_tokens', id)];
    const before = await typesOf(id);

    const body = { email, password: testPassword, device: { type: 'mobile' } };
    const answer = await api.call('POST', '/auth/login', { body });

    expect(answer).toMatchObject({ status: 401, body: { code: 'mfa_required' } });
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(Object.keys(answer.body).toSorted()).toEqual(
      ['challenge', 'code', 'request_id', 'status', 'title', 'type'].toSorted(),
    );
    expect(await countOf('sessions', id)).toBe(sessions);
    expect(await countOf('device_tokens', id)).toBe(devices);
    expect(await typesOf(id)).toEqual(before);
  });

  it('begins its session with the code of the app, and says so in the token', async () => {
    const { id, email, app } = await twoFactorUser(api);
    const device = { type: 'mobile', name: 'Phone' };
    const challenge = await challengeOf(api, { email, password: testPassword, device });

    const { status, body } = await complete(api, { challenge, totp: app.code(1), device });

    expect(status).toBe(200);
    expect(body.session).toMatchObject({ device, amr: ['pwd', 'otp', 'mfa'] });
    expect(claimsOf(body.access_token)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: '2fa' });
    expect((await typesOf(id)).slice(-1)).toEqual(['FactorAccepted']);
    expect(await api.verify(body.access_token)).toBe(204);
    const refreshed = await api.refresh(body.refresh_token);
    expect(claimsOf(refreshed.body.access_token)).toMatchObject({ acr: '2fa' });
  });

  it('begins it with a recovery code, which is good once, however it is typed', async () => {
    const { id, email, recoveryCodes } = await twoFactorUser(api);
    expect(recoveryCodes).toHaveLength(10);
    const logIn = async (recovery_code: string) => {
      const challenge = await challengeOf(api, { email, password: testPassword });
      return complete(api, { challenge, recovery_code });
    };

    expect((await logIn(recoveryCodes[3]!.toLowerCase().replaceAll('-', ' '))).status).toBe(200);
    expect((await logIn(recoveryCodes[3]!)).body.code).toBe('invalid_credentials');
    expect((await logIn(recoveryCodes[4]!)).status).toBe(200);
    expect((await typesOf(id)).slice(-4)).toEqual([
      'RecoveryCodeUsed',
      'FactorCheckFailed',
      'FailedChecksCleared',
      'RecoveryCodeUsed',
    ]);
  });

  // Fails when a step is compared with the clock alone.
  it('takes the code of one half minute once, and none of an earlier one after it', async () => {
    const { email, app } = await twoFactorUser(api);
    const logIn = async (totp: string) => {
      const challenge = await challengeOf(api, { email, password: testPassword });
      return (await complete(api, { challenge, totp })).status;
    };
    expect(await logIn(app.code())).toBe(401);
    expect(await logIn(app.code(1))).toBe(200);
    clock.advance();
    expect(await logIn(app.code())).toBe(401);
    expect(await logIn(app.code(-1))).toBe(401);
    expect(await logIn(app.code(2))).toBe(401);
    expect(await logIn(app.code(1))).toBe(200);
  });

  // Fails when a right password is answered as a success, or tells of a lock.
  it('is refused while the user is locked, with the right password too', async () => {
    const { email, app } = await twoFactorUser(api);
    const challenge = await challengeOf(api, { email, password: testPassword });
    const wrong = { email, password: 'a long and different sentence' };
    for (let count = 0; count < 10; count += 1) await complete(api, wrong);

    const body = { email, password: testPassword };
    expect((await complete(api, body)).body.code).toBe('invalid_credentials');
    const answer = await complete(api, { challenge, totp: app.code(1) });
    expect(answer.body.code).toBe('invalid_credentials');
  });

  // Fails when the right password clears the count of failures.
  it('locks after ten wrong codes, however often the right password comes between', async () => {
    const { id, email, app } = await twoFactorUser(api);
    const logIn = async (totp: string) => {
      const first = await complete(api, { email, password: testPassword });
      if (first.body.code !== 'mfa_required') return first.body.code;
      return (await complete(api, { challenge: first.body.challenge, totp })).body.code;
    };
    for (let count = 0; count < 12; count += 1) {
      expect(await logIn(app.wrongCode())).toBe('invalid_credentials');
    }
    const types = await typesOf(id);
    expect(types.filter((type) => type === 'FactorCheckFailed')).toHaveLength(10);
    expect(types.at(-1)).toBe('UserLocked');
    expect(await logIn(app.code(1))).toBe('invalid_credentials');
  });

  it('in cookie mode keeps everything in cookies, which come with the second factor', async () => {
    const { email, app } = await twoFactorUser(api);
    const fields = { transport: 'cookie', device: { type: 'web' } };
    const headers = { origin: 'http://latchkey.test' };
    const first = { email, password: testPassword, ...fields };
    const asked = await api.call('POST', '/auth/login', { body: first, headers });
    expect(asked.headers.getSetCookie()).toEqual([]);
    const body = { challenge: asked.body.challenge, totp: app.code(1), ...fields };
    const answer = await api.call('POST', '/auth/login', { body, headers });
    expect(answer.status).toBe(200);
    const names = answer.headers.getSetCookie().map((cookie) => cookie.split('=')[0]);
    expect(names).toEqual(['__Host-latchkey_refresh', '__Host-latchkey_device']);
    expect(answer.body.refresh_token).toBeUndefined();
  });
});

describe('a challenge', () => {
  const open = async (fields: object = {}) => {
    const user = await twoFactorUser(api);
    const body = { email: user.email, password: testPassword, ...fields };
    return { ...user, challenge: await challengeOf(api, body) };
  };
  const codeOf = async (answer: ReturnType<typeof complete>) => (await answer).body.code;

  it('is refused after five wrong codes, and with a right one then', async () => {
    const { app, challenge } = await open();
    for (let count = 0; count < 5; count += 1) {
      const answer = complete(api, { challenge, totp: app.wrongCode() });
      expect(await codeOf(answer)).toBe('invalid_credentials');
    }
    expect(await codeOf(complete(api, { challenge, totp: app.code(1) }))).toBe('invalid_token');
  });

  it('is good once', async () => {
    const { app, challenge, recoveryCodes } = await open();
    expect((await complete(api, { challenge, totp: app.code(1) })).status).toBe(200);
    const again = { challenge, recovery_code: recoveryCodes[0] };
    expect(await codeOf(complete(api, again))).toBe('invalid_token');
  });

  it('expires after five minutes', async () => {
    const own = await startTestApi({ LOGIN_FLOOR_MS: '0', RECENT_AUTHENTICATION_SECONDS: '3600' });
    const time = new StoppedClock(own);
    const { email, app } = await twoFactorUser(own);
    const challenge = await challengeOf(own, { email, password: testPassword });
    time.advance(300);
    expect(await codeOf(complete(own, { challenge, totp: app.code() }))).toBe('invalid_token');
    await own.stop();
  });

  // Fails when one of these is left out of what is sealed or compared.
  it.each([
    { name: 'another type of device', first: {}, second: { device: { type: 'mobile' } } },
    { name: 'another transport', first: { transport: 'cookie' }, second: {} },
    { name: 'another audience', first: {}, second: { audience: 'http://latchkey.test' } },
    { name: 'another known device', first: {}, second: { device_token: 'this user’s' } },
  ])('is for its own request: not for $name', async ({ name, first, second }) => {
    const node = name === 'another audience' ? await withOtherAudience() : api;
    const user = await twoFactorUser(node);
    const headers = { origin: 'http://latchkey.test' };
    const body = { email: user.email, password: testPassword, ...first };
    const asked = await node.call('POST', '/auth/login', { body, headers });
    const { challenge } = asked.body;
    const known =
      name === 'another known device' ? { device_token: await deviceTokenOf(user) } : {};
    const answer = { challenge, recovery_code: user.recoveryCodes[0], ...second, ...known };
    const code = await node.call('POST', '/auth/login', { body: answer, headers });
    expect(code.body.code).toBe('invalid_token');
    const right = { challenge, recovery_code: user.recoveryCodes[0], ...first };
    expect((await node.call('POST', '/auth/login', { body: right, headers })).status).toBe(200);
  });

  async function withOtherAudience(): Promise<TestApi> {
    const node = await api.anotherNode({ DEFAULT_AUDIENCE: 'https://shop.test' });
    Object.assign(node.node, { now: () => clock.now });
    return node;
  }

  async function deviceTokenOf({ email, recoveryCodes }: TwoFactorUser): Promise<string> {
    const challenge = await challengeOf(api, { email, password: testPassword });
    const body = { challenge, recovery_code: recoveryCodes[9] };
    return (await complete(api, body)).body.device_token;
  }

  it('is for its client, which proves its secret again', async () => {
    const { access_token: token } = await api.admin();
    const body = { name: 'shop', first_party: true, audiences: ['http://latchkey.test'] };
    const { body: client } = await api.call('POST', '/admin/clients', { token, body });
    const { client_id, client_secret } = client;
    const { challenge, recoveryCodes } = await open({ client_id, client_secret });
    const second = { challenge, recovery_code: recoveryCodes[0] };
    expect(await codeOf(complete(api, second))).toBe('invalid_token');
    expect(await codeOf(complete(api, { ...second, client_id }))).toBe('invalid_client');
    const { status } = await complete(api, { ...second, client_id, client_secret });
    expect(status).toBe(200);
  });

  it('is for the key that the first request has proved', async () => {
    const user = await twoFactorUser(api);
    const [owner, thief] = [new TestDevice(), new TestDevice()];
    const logIn = (device: TestDevice, body: object) =>
      provenCall(api, device, ['POST', '/auth/login'], { body });
    const first = { email: user.email, password: testPassword };
    const { challenge } = (await logIn(owner, first)).body;
    const second = { challenge, recovery_code: user.recoveryCodes[0] };
    expect(await codeOf(complete(api, second))).toBe('invalid_token');
    expect((await logIn(thief, second)).body.code).toBe('invalid_token');
    expect((await logIn(owner, second)).body).toMatchObject({ token_type: 'DPoP' });
  });

  it('is dead once the user is disabled, also when enabled again', async () => {
    const { id, app, challenge } = await open();
    const { access_token: token } = await api.admin();
    for (const verb of ['disable', 'enable']) {
      await api.call('POST', `/admin/users/${id}/${verb}`, { token });
    }
    expect(await codeOf(complete(api, { challenge, totp: app.code(1) }))).toBe('invalid_token');
  });

  it('is good for nothing else, and nothing else is a challenge', async () => {
    const { challenge, refreshToken, app } = await open();
    expect((await api.refresh(challenge)).status).toBe(401);
    expect(await api.verify(challenge)).toBe(401);
    for (const other of [refreshToken, `${challenge}x`, challenge.slice(0, -1), 'lkc_', '']) {
      const answer = complete(api, { challenge: other ?? '', totp: app.code(1) });
      expect(await codeOf(answer), other).toBe('invalid_token');
    }
  });

  it('says nothing to who reads it', async () => {
    const { id, email, challenge } = await open();
    const bytes = Buffer.from(challenge.slice(4), 'base64url').toString('latin1');
    for (const text of [id, email, 'pwd', 'web']) expect(bytes).not.toContain(text);
  });

  it('stands in place of the first factor, in one request with the second', async () => {
    const { email, challenge, app } = await open();
    const totp = app.code(1);
    for (const body of [
      { challenge },
      { totp },
      { email, totp },
      { challenge, totp, email },
      { challenge, totp, password: testPassword },
      { challenge, totp, recovery_code: 'x' },
      {},
      { email },
    ]) {
      expect((await complete(api, body)).status, JSON.stringify(body)).toBe(400);
    }
  });
});
