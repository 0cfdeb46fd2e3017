import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestApi, testPassword } from '../../support/api.ts';
import {
  Authenticator,
  challengeOf,
  complete,
  enrol,
  type StoppedApi,
  startStoppedApi,
  type TwoFactorUser,
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

const post = (path: string, token: string, body: object = {}) =>
  api.call('POST', path, { token, body });
const remove = (token: string, body: object) => api.call('DELETE', '/auth/totp', { token, body });
const secretsOf = (userId: string) =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query(
      `select s.wrapped from latchkey.totp_secrets s join latchkey.users u on s.factor_id::text in
        (u.totp -> 'pending' ->> 'factorId', u.totp -> 'confirmed' ->> 'factorId')
        where u.user_id = $1`,
      [userId],
    );
    return rows.length;
  });
const secretCount = () =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query('select count(*)::int as n from latchkey.totp_secrets');
    return rows[0].n as number;
  });

/** A second session of a user with two factors, and its access token. */
async function loggedIn({ email, recoveryCodes }: TwoFactorUser, code = 9, device = 'mobile') {
  const fields = { device: { type: device } };
  const challenge = await challengeOf(api, { email, password: testPassword, ...fields });
  const body = { challenge, recovery_code: recoveryCodes[code], ...fields };
  return (await complete(api, body)).body;
}

describe('enrolling an authenticator app', () => {
  it('gives out a secret and its URI, which change no login yet', async () => {
    const { id, email } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    const { status, body, headers } = await post('/auth/totp/enrol', token);

    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(body.otpauth_uri).toBe(
      `otpauth://totp/latchkey.test:${encodeURIComponent(email)}?secret=${body.secret}` +
        '&issuer=latchkey.test&algorithm=SHA1&digits=6&period=30',
    );
    expect(JSON.stringify(await api.eventsOf(id))).not.toContain(body.secret);
    await api.logIn({ email });
  });

  it('again replaces the secret that was not confirmed, in the database too', async () => {
    const { id, email } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    const first = await enrol(api, token);
    const before = await secretCount();
    const second = await enrol(api, token);
    expect(await secretCount()).toBe(before);
    expect(await secretsOf(id)).toBe(1);
    const confirm = (app: Authenticator) => post('/auth/totp/confirm', token, { totp: app.code() });
    expect((await confirm(first)).body.code).toBe('invalid_credentials');
    expect((await confirm(second)).status).toBe(200);
  });

  it('needs a recent login', async () => {
    const { email } = await api.register();
    const node = await api.anotherNode({ RECENT_AUTHENTICATION_SECONDS: '30' });
    const { access_token: token } = await api.logIn({ email });
    const answer = await node.call('POST', '/auth/totp/enrol', { token, body: {} });
    expect(answer).toMatchObject({
      status: 401,
      body: { code: 'insufficient_user_authentication', max_age: 30 },
    });
    expect(answer.headers.get('www-authenticate')).toBe(
      'Bearer realm="latchkey", error="insufficient_user_authentication", max_age="30"',
    );
  });

  // Fails when a stolen session and the password can replace the thief's obstacle.
  it('of another one needs the factor or a recovery code, not the password', async () => {
    const user = await twoFactorUser(api);
    const { access_token: token } = await loggedIn(user);
    const enrolWith = (body: object) => post('/auth/totp/enrol', token, body);

    expect((await enrolWith({})).status).toBe(400);
    const stepped = await post('/auth/step-up', token, { password: testPassword });
    expect((await post('/auth/totp/enrol', stepped.body.access_token)).status).toBe(400);
    expect((await enrolWith({ totp: user.app.wrongCode() })).body.code).toBe('invalid_credentials');
    const { body } = await enrolWith({ totp: user.app.code(1) });
    expect(await secretsOf(user.id)).toBe(2);
    const app = new Authenticator(body.secret, () => clock.now);
    const confirmed = await post('/auth/totp/confirm', token, { totp: app.code() });
    expect(confirmed.status).toBe(200);
    expect(await secretsOf(user.id)).toBe(1);

    const { email } = user;
    const challenge = await challengeOf(api, { email, password: testPassword });
    const old = { challenge, recovery_code: user.recoveryCodes[0] };
    expect((await complete(api, old)).status).toBe(401);
    expect((await complete(api, { challenge, totp: app.code(1) })).status).toBe(200);
  });
});

describe('confirming it', () => {
  it('ends every other session and makes the tokens from before stale', async () => {
    const { id, email } = await api.register();
    const other = await api.logIn({ email, device: 'mobile' });
    const own = await api.logIn({ email, device: 'desktop' });
    const app = await enrol(api, own.access_token);
    const body = { totp: app.code() };
    expect((await post('/auth/totp/confirm', own.access_token, body)).status).toBe(200);

    expect(await api.verify(other.access_token)).toBe(401);
    expect((await api.refresh(other.refresh_token)).body.code).toBe('session_ended');
    expect((await post('/auth/totp/recovery-codes', own.access_token)).body.code).toBe(
      'token_stale',
    );
    const refreshed = await api.refresh(own.refresh_token);
    expect(await api.verify(refreshed.body.access_token)).toBe(204);
    expect((await typesOf(id)).slice(-4)).toEqual([
      'TotpEnrolled',
      'TotpConfirmed',
      'RecoveryCodesIssued',
      'UserEpochRaised',
    ]);
    expect((await api.eventsOf(other.session.id)).at(-1)).toMatchObject({
      type: 'SessionRevoked',
      data: { reason: 'factor_changed' },
    });
  });

  // Fails when who holds a stolen access token may guess the first code.
  it('counts wrong codes for this session', async () => {
    const { id, email } = await api.register();
    const { access_token: token, session } = await api.logIn({ email });
    const app = await enrol(api, token);
    const totp = app.wrongCode();
    for (let count = 0; count < 10; count += 1) await post('/auth/totp/confirm', token, { totp });
    const answer = await post('/auth/totp/confirm', token, { totp: app.code() });
    expect(answer.body.code).toBe('invalid_credentials');
    expect((await api.eventsOf(id)).at(-1)).toMatchObject({
      type: 'DeviceLocked',
      data: { deviceId: session.id },
    });
  });

  it('is a conflict without an enrolment, and after ten minutes', async () => {
    const { email } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    const confirm = (totp: string) => post('/auth/totp/confirm', token, { totp });
    expect((await confirm('123456')).body.code).toBe('conflict');
    const app = await enrol(api, token);
    clock.advance(600);
    const late = await confirm(app.code());
    clock.advance(-600);
    expect(late.body.code).toBe('conflict');
  });
});

describe('the recovery codes', () => {
  it('are ten and secret: only their hashes are kept', async () => {
    const { id, recoveryCodes } = await twoFactorUser(api);
    expect(new Set(recoveryCodes).size).toBe(10);
    const written = JSON.stringify(await api.eventsOf(id));
    for (const code of recoveryCodes) {
      expect(code).toMatch(/^([A-Z2-7]{4}-){5}[A-Z2-7]{4}$/);
      expect(written).not.toContain(code);
    }
  });

  it('are replaced for who shows the factor, and those from before are worth nothing', async () => {
    const user = await twoFactorUser(api);
    const { access_token: token } = await loggedIn(user);
    const replace = (body: object) => post('/auth/totp/recovery-codes', token, body);
    expect((await replace({})).status).toBe(400);
    expect((await replace({ totp: '000', recovery_code: 'x' })).status).toBe(400);
    expect((await replace({ totp: user.app.wrongCode() })).status).toBe(401);
    const { status, body } = await replace({ totp: user.app.code(1) });
    expect(status).toBe(200);
    const { email } = user;
    const challenge = await challengeOf(api, { email, password: testPassword });
    const old = { challenge, recovery_code: user.recoveryCodes[0] };
    expect((await complete(api, old)).status).toBe(401);
    const fresh = { challenge, recovery_code: body.recovery_codes[0] };
    expect((await complete(api, fresh)).status).toBe(200);
  });
});

describe('removing the factor', () => {
  it('needs the factor; then the password alone logs in, and others have ended', async () => {
    const user = await twoFactorUser(api);
    const own = await loggedIn(user);
    const other = await loggedIn(user, 8, 'desktop');
    expect((await remove(own.access_token, {})).status).toBe(400);
    expect((await remove(own.access_token, { totp: user.app.wrongCode() })).status).toBe(401);
    expect((await remove(own.access_token, { recovery_code: user.recoveryCodes[0] })).status).toBe(
      204,
    );

    expect(await secretsOf(user.id)).toBe(0);
    expect((await api.refresh(other.refresh_token)).status).toBe(401);
    expect(await api.verify(own.access_token)).toBe(401);
    const { status, body } = await api.refresh(own.refresh_token);
    expect(status).toBe(200);
    // Fails when a session says of itself what a factor proved that is gone.
    const demanded = await api.call('GET', '/auth/verify?acr=2fa', { token: body.access_token });
    expect(demanded.body.code).toBe('insufficient_user_authentication');
    await api.logIn({ email: user.email });
  });

  it('is done by an administrator for who has lost it; every session ends', async () => {
    const user = await twoFactorUser(api);
    const own = await loggedIn(user);
    const { access_token: token } = await api.admin();
    const path = `/admin/users/${user.id}/totp`;
    expect((await api.call('DELETE', path, { token: own.access_token })).status).toBe(403);
    expect((await api.call('DELETE', path, { token })).status).toBe(204);
    expect((await api.call('DELETE', path, { token })).status).toBe(204);

    expect((await api.refresh(own.refresh_token)).status).toBe(401);
    expect((await api.eventsOf(user.id)).at(-2)).toMatchObject({
      type: 'TotpRemoved',
      data: { by: 'admin' },
      meta: { actor_type: 'admin' },
    });
    await api.logIn({ email: user.email });
    const unknown = await api.call('DELETE', `/admin/users/${user.sessionId}/totp`, { token });
    expect(unknown.status).toBe(404);
  });
});

// Fails when somebody who has only begun to enrol loses the sessions for it.
it('an enrolment that was never confirmed is none: an administrator removes nothing', async () => {
  const { id, email } = await api.register();
  const own = await api.logIn({ email });
  await enrol(api, own.access_token);
  const { access_token: token } = await api.admin();
  expect((await api.call('DELETE', `/admin/users/${id}/totp`, { token })).status).toBe(204);
  expect(await api.verify(own.access_token)).toBe(204);
  expect((await remove(own.access_token, { totp: '123456' })).body.code).toBe('conflict');
  expect(await typesOf(id)).not.toContain('TotpRemoved');
});
