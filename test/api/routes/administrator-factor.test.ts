import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byProgram } from '../../../src/app/by.ts';
import { enrolmentCode } from '../../../src/app/user/enrolment-code.ts';
import { findUserByEmail } from '../../../src/app/user/find-user-by-email.ts';
import { grantRole } from '../../../src/app/user/grant-role.ts';
import { type TestApi, testPassword } from '../../support/api.ts';
import {
  Authenticator,
  challengeOf,
  complete,
  startStoppedApi,
  twoFactorUser,
} from '../../support/authenticator.ts';

let api: TestApi;
beforeAll(async () => {
  ({ api } = await startStoppedApi({ ADMIN_SECOND_FACTOR: 'on' }));
});
afterAll(() => api.stop());

const users = (token: string, node = api) => node.call('GET', '/admin/users', { token });
const post = (path: string, token: string, body: object) => api.call('POST', path, { token, body });

describe('an administrator where a second factor is demanded', () => {
  // Fails when a stolen password enrols the phone of the thief.
  it('enrols with the code of the command line only, and then administers', async () => {
    const { access_token: token, user } = await api.admin();
    const refused = await users(token);
    expect(refused).toMatchObject({
      status: 401,
      body: { code: 'insufficient_user_authentication', acr_values: '2fa', max_age: 3600 },
    });
    expect(refused.headers.get('www-authenticate')).toContain('acr_values="2fa", max_age="3600"');
    expect((await post('/auth/totp/enrol', token, {})).body).toMatchObject({
      code: 'forbidden',
      errors: [{ path: 'enrolment_code', message: 'is required of an administrator' }],
    });
    const guess = { enrolment_code: 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA' };
    expect((await post('/auth/totp/enrol', token, guess)).body.code).toBe('forbidden');

    const found = (await findUserByEmail(api.node, user.email))!;
    const code = enrolmentCode(api.node, found).toLowerCase();
    const { body } = await post('/auth/totp/enrol', token, { enrolment_code: code });
    const app = new Authenticator(body.secret, () => api.node.now());
    const confirmed = await post('/auth/totp/confirm', token, { totp: app.code() });
    expect(confirmed.status).toBe(200);

    const challenge = await challengeOf(api, { email: user.email, password: testPassword });
    const tokens = (await complete(api, { challenge, totp: app.code(1) })).body;
    expect((await users(tokens.access_token)).status).toBe(200);
    // The code is over with the first factor, also once that is gone.
    const remove = { recovery_code: confirmed.body.recovery_codes[0] };
    await api.call('DELETE', '/auth/totp', { token: tokens.access_token, body: remove });
    const again = (await api.admin()).access_token;
    expect((await post('/auth/totp/enrol', again, { enrolment_code: code })).status).toBe(403);
  });

  // Fails when a right that is no route below `/admin` forgets the demand.
  it('reads the keys of other users only then, too', async () => {
    const { email, id } = await api.register();
    const keysOf = (userId: string, bearer: string) =>
      api.call('GET', `/users/${userId}/jwks.json`, { token: bearer });
    const other = await api.register();
    const { access_token: plain } = await api.logIn({ email });
    expect((await keysOf(other.id, plain)).status).toBe(403);
    await grantAdmin(id);
    const { access_token: fresh } = await api.logIn({ email });
    expect((await keysOf(other.id, fresh)).body.code).toBe('insufficient_user_authentication');
    expect((await keysOf(id, fresh)).status).toBe(200);
  });

  it('removes the own factor only with it', async () => {
    const { id, email, recoveryCodes } = await twoFactorUser(api);
    await grantAdmin(id);
    const challenge = await challengeOf(api, { email, password: testPassword });
    const { body } = await complete(api, { challenge, recovery_code: recoveryCodes[0] });
    const token = body.access_token;
    const own = await api.call('DELETE', `/admin/users/${id}/totp`, { token });
    expect([own.status, own.body.errors]).toEqual([
      400,
      [{ path: 'id', message: 'is your own: DELETE /auth/totp removes it' }],
    ]);
    const other = await twoFactorUser(api);
    expect((await api.call('DELETE', `/admin/users/${other.id}/totp`, { token })).status).toBe(204);
  });

  it('must have logged in or stepped up lately', async () => {
    const { id, email, app, recoveryCodes } = await twoFactorUser(api);
    await grantAdmin(id);
    const challenge = await challengeOf(api, { email, password: testPassword });
    const recovery_code = recoveryCodes[0];
    const { body } = await complete(api, { challenge, recovery_code });
    const strict = await api.anotherNode({ ADMIN_AUTHENTICATION_SECONDS: '60' });
    expect((await users(body.access_token, strict)).body.code).toBe(
      'insufficient_user_authentication',
    );
    // A node whose clock runs: the step-up is of this moment.
    const now = new Authenticator(app.secret);
    const stepped = await strict.call('POST', '/auth/step-up', {
      token: body.access_token,
      body: { totp: now.code() },
    });
    expect((await users(stepped.body.access_token, strict)).status).toBe(200);
  });

  async function grantAdmin(userId: string): Promise<void> {
    const role = 'latchkey:admin';
    await grantRole(api.node, { userId, role }, byProgram('system', 'cli'));
  }
});

describe('a gateway', () => {
  const ask = (query: string, token: string) => api.call('GET', `/auth/verify?${query}`, { token });

  it('may demand a second factor and a recent authentication', async () => {
    const { email, recoveryCodes } = await twoFactorUser(api);
    const challenge = await challengeOf(api, { email, password: testPassword });
    const two = (await complete(api, { challenge, recovery_code: recoveryCodes[0] })).body;
    const other = await api.register();
    const one = await api.logIn({ email: other.email });

    expect((await ask('acr=2fa&max_age=3600', two.access_token)).status).toBe(204);
    expect((await ask('acr=1fa', two.access_token)).status).toBe(204);
    expect((await ask('acr=1fa', one.access_token)).status).toBe(204);
    const refused = await ask('acr=2fa', one.access_token);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer realm="latchkey", error="insufficient_user_authentication", acr_values="2fa"',
    );
    const old = await ask('max_age=5', one.access_token);
    expect([old.status, old.body.code]).toEqual([401, 'insufficient_user_authentication']);
    const demand = { 'x-auth-demand': 'acr=2fa; max_age=3600' };
    const forwarded = (token: string) =>
      api.call('GET', '/auth/forward/any', { token, headers: demand });
    expect((await forwarded(two.access_token)).status).toBe(204);
    expect((await forwarded(one.access_token)).status).toBe(401);
  });

  it('that demands what does not exist is told so', async () => {
    const { email } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    for (const query of ['acr=3fa', 'acr=', 'max_age=soon', 'max_age=-1', 'acr=1fa&acr=2fa']) {
      expect((await ask(query, token)).status, query).toBe(400);
    }
  });
});
