import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestApi, testPassword } from '../../support/api.ts';
import {
  challengeOf,
  complete,
  type StoppedApi,
  startStoppedApi,
  twoFactorUser,
} from '../../support/authenticator.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
let clock: StoppedApi['clock'];
let typesOf: StoppedApi['typesOf'];
beforeAll(async () => {
  ({ api, clock, typesOf } = await startStoppedApi());
});
afterAll(() => api.stop());

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
