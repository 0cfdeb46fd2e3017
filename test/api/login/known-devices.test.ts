import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  type LogInOptions,
  startTestApi,
  type TestApi,
  testPassword,
} from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0' });
});
afterAll(() => api.stop());

const wrong = 'a long and different sentence';
type Fields = { device_token?: string; transport?: string; password?: string };
const attempt = (email: string, fields: Fields = {}, node: TestApi = api) =>
  node.call('POST', '/auth/login', { body: { email, password: testPassword, ...fields } });
async function fail(times: number, email: string, fields: Fields = {}, node: TestApi = api) {
  for (let count = 0; count < times; count += 1) {
    expect((await attempt(email, { ...fields, password: wrong }, node)).status).toBe(401);
  }
}
/** A user with a device that has logged in, and what that device was given. */
async function userWithDevice(options: Partial<LogInOptions> = {}) {
  const user = await api.register();
  const tokens = await api.logIn({ email: user.email, ...options });
  return { ...user, token: tokens.access_token as string, device: tokens.device_token as string };
}
const typesOf = async (id: string) => (await api.eventsOf(id)).map(({ type }) => type);
const rowsOf = (userId: string) =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query('select * from latchkey.device_tokens where user_id = $1', [
      userId,
    ]);
    return rows;
  });
const cookieOf = (answer: Answer, name: string) =>
  answer.headers.getSetCookie().find((cookie) => cookie.startsWith(`${name}=`));

describe('a device that has logged in before', () => {
  // Fails when failures with and without a device token share one count.
  it('B8: logs in while ten wrong passwords of a stranger lock the user', async () => {
    const { id, email, device } = await userWithDevice();
    await fail(10, email);

    expect((await attempt(email)).status).toBe(401);
    const { status, body } = await attempt(email, { device_token: device });
    expect(status).toBe(200);
    expect(body.device_token).toBeUndefined();
    expect(await typesOf(id)).toEqual([
      'UserRegistered',
      ...Array.from({ length: 10 }, () => 'PasswordCheckFailed'),
      'UserLocked',
    ]);
    expect(await typesOf(body.session.id)).toEqual(['SessionStarted']);
  });

  // Fails when a device token keeps its bearer from ever being locked.
  it('B8: is locked by its own ten wrong passwords, on both nodes, and alone', async () => {
    const { id, email, device } = await userWithDevice();
    const other = await api.anotherNode();
    await fail(5, email, { device_token: device });
    await fail(5, email, { device_token: device }, other);

    expect((await attempt(email, { device_token: device })).status).toBe(401);
    expect((await attempt(email, { device_token: device }, other)).status).toBe(401);
    expect((await attempt(email)).status).toBe(200);
    const events = await api.eventsOf(id);
    expect(events.at(-1)).toMatchObject({ type: 'DeviceLocked', data: { lockCount: 1 } });
    expect(events.filter(({ type }) => type === 'UserLocked')).toEqual([]);
  });

  it('B8: holds its token in a cookie in cookie mode, beside the refresh token', async () => {
    const { email } = await api.register();
    const headers = { origin: 'http://latchkey.test' };
    const body = { email, password: testPassword, transport: 'cookie' };
    const answer = await api.call('POST', '/auth/login', { body, headers });
    const cookie = cookieOf(answer, '__Host-latchkey_device');
    expect(cookie).toMatch(
      /^__Host-latchkey_device=lkd_[\w-]+; Max-Age=34560000; Path=\/; HttpOnly;/,
    );
    expect(cookie).toContain('Secure; SameSite=Strict');
    expect(cookieOf(answer, '__Host-latchkey_refresh')).toBeDefined();
    expect(answer.body.device_token).toBeUndefined();

    await fail(10, email);
    const again = await api.call('POST', '/auth/login', {
      body,
      headers: { ...headers, cookie: cookie!.split(';')[0]! },
    });
    expect(again.status).toBe(200);
    expect(cookieOf(again, '__Host-latchkey_device')).toBeUndefined();
  });

  it('B8: is no factor, and its token is worth nothing for another user', async () => {
    const { email, device } = await userWithDevice();
    const victim = await api.register();
    await fail(10, victim.email);
    expect((await attempt(victim.email, { device_token: device })).status).toBe(401);
    for (const text of ['', 'lkd_', 'x'.repeat(1024), `${device.slice(0, -2)}AA`]) {
      expect((await attempt(victim.email, { device_token: text })).status).toBe(401);
      expect((await attempt(email, { device_token: text })).status).toBe(200);
    }
  });

  // Fails when the epoch of a token is not compared with the user's.
  it.each(['/auth/password', '/auth/logout-all'])('B8: is forgotten by %s', async (path) => {
    const { email, token, device } = await userWithDevice();
    const password = 'another long and ordinary sentence';
    const changes = path === '/auth/password';
    const body = changes ? { current_password: testPassword, new_password: password } : {};
    const answer = await api.call('POST', path, { token, body });
    expect(answer.status).toBe(changes ? 204 : 200);

    await fail(10, email);
    const now = changes ? password : testPassword;
    expect((await attempt(email, { password: now, device_token: device })).status).toBe(401);
  });

  it('B8: changes its password while strangers lock the user, and counts apart', async () => {
    const { id, email, token } = await userWithDevice();
    await fail(10, email);
    const change = (current_password: string) =>
      api.call('POST', '/auth/password', {
        token,
        body: { current_password, new_password: 'another long and ordinary sentence' },
      });
    expect((await change(wrong)).status).toBe(401);
    expect((await change(testPassword)).status).toBe(204);
    expect((await typesOf(id)).slice(-4)).toEqual([
      'PasswordCheckFailed',
      'FailedChecksCleared',
      'PasswordChanged',
      'UserEpochRaised',
    ]);
  });

  // Fails when tokens are kept for ever, or when those that nobody shows push out the one in use.
  it('B8: is one of at most twenty, and forgetful clients do not push it out', async () => {
    const { id, email, device } = await userWithDevice();
    expect((await attempt(email, { device_token: device })).status).toBe(200);
    for (let count = 0; count < 22; count += 1) await attempt(email);

    const rows = await rowsOf(id);
    expect(rows).toHaveLength(11);
    await fail(10, email);
    expect((await attempt(email, { device_token: device })).status).toBe(200);
    expect(JSON.stringify(rows)).not.toContain(device.slice(30));
  });

  it('B8: leaves no trace of its token in the log', async () => {
    const { id, email, device } = await userWithDevice();
    await fail(2, email, { device_token: device });
    const { body } = await attempt(email, { device_token: device });
    const logged = JSON.stringify([
      api.logged(),
      await api.eventsOf(id),
      await api.eventsOf(body.session.id),
    ]);
    expect(logged).not.toContain(device);
    expect(logged).not.toContain(device.slice(30));
  });
});
