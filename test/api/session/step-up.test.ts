import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { StoppedClock, type TwoFactorUser, twoFactorUser } from '../../support/authenticator.ts';
import { boundSession, provenCall, provenRefresh } from '../../support/dpop.ts';

let api: TestApi;
let clock: StoppedClock;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0' });
  clock = new StoppedClock(api);
});
afterAll(() => api.stop());

const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
const stepUp = (token: string, body: object) => api.call('POST', '/auth/step-up', { token, body });

/** A user with a second factor, in a session that began without it. */
async function oneFactorSession(): Promise<TwoFactorUser & { token: string; refresh: string }> {
  const user = await twoFactorUser(api, 'web');
  const { body } = await api.refresh(user.refreshToken);
  return { ...user, token: body.access_token, refresh: body.refresh_token };
}

describe('a step-up', () => {
  it('answers a short token that says so, without a refresh token', async () => {
    const { token, app, sessionId } = await oneFactorSession();
    const login = claimsOf(token);
    clock.advance();
    const { status, body } = await stepUp(token, { totp: app.code() });

    expect(status).toBe(200);
    expect(body.refresh_token).toBeUndefined();
    expect(body.expires_in).toBe(300);
    const claims = claimsOf(body.access_token);
    expect(claims).toMatchObject({ acr: '2fa', amr: ['pwd', 'otp', 'mfa'], sid: sessionId });
    expect(claims.auth_time).toBe(Math.floor(clock.now / 1000));
    expect(claims.auth_time).toBeGreaterThan(login.auth_time);
    expect(claims.exp - claims.iat).toBe(300);
    expect(claims.jti).not.toBe(login.jti);
    expect(await api.verify(body.access_token)).toBe(204);
    expect(await api.verify(token)).toBe(204);
    const events = await api.eventsOf(sessionId);
    expect(events.at(-1)).toMatchObject({ type: 'SessionSteppedUp', data: { generation: 3 } });
  });

  // Fails when the successor of a refresh token carries what the step-up has proved.
  it('gives nothing to who holds a refresh token, and renews no auth_time', async () => {
    const { token, app, refresh, refreshToken } = await oneFactorSession();
    const before = claimsOf(token);
    await stepUp(token, { totp: app.code(1) });

    const parent = await api.refresh(refreshToken);
    expect(claimsOf(parent.body.access_token)).toMatchObject({ acr: '1fa', amr: ['pwd'] });
    const next = await api.refresh(refresh);
    const claims = claimsOf(next.body.access_token);
    expect(claims).toMatchObject({ acr: '1fa', amr: ['pwd'], auth_time: before.auth_time });
    expect(next.body.session.amr).toEqual(['pwd']);
  });

  // Fails when the answer to a step-up carries the only good refresh token.
  it('whose answer is lost costs nobody the session', async () => {
    const { token, recoveryCodes, refresh } = await oneFactorSession();
    for (const recovery_code of recoveryCodes.slice(0, 3)) await stepUp(token, { recovery_code });
    const first = await api.refresh(refresh);
    const again = await api.refresh(refresh);
    expect(again.body.refresh_token).toBe(first.body.refresh_token);
    const next = await api.refresh(first.body.refresh_token);
    expect(next.status).toBe(200);
    expect(claimsOf(next.body.access_token).jti.split('.')[1]).toBe('7');
    expect((await api.refresh(refresh)).body.code).toBe('session_ended');
  });

  it('ends with the session, and is stale with the epoch', async () => {
    const { token, app } = await oneFactorSession();
    const { body } = await stepUp(token, { totp: app.code(1) });
    await api.call('POST', '/auth/logout-all', { token, body: {} });
    expect(await api.verify(body.access_token)).toBe(401);
    expect((await stepUp(token, { totp: '123456' })).status).toBe(401);
  });

  it('by a password is one factor, also for who has a second one', async () => {
    const { token } = await oneFactorSession();
    clock.advance();
    const { body } = await stepUp(token, { password: testPassword });
    const claims = claimsOf(body.access_token);
    expect(claims).toMatchObject({ acr: '1fa', amr: ['pwd'] });
    expect(claims.auth_time).toBe(Math.floor(clock.now / 1000));
  });

  it('keeps the binding of the session to a key', async () => {
    const { device, tokens } = await boundSession(api);
    const proven = (body: object) =>
      provenCall(api, device, ['POST', '/auth/step-up'], { body, boundToken: tokens.access_token });
    const { body } = await proven({ password: testPassword });
    expect(body.token_type).toBe('DPoP');
    expect(claimsOf(body.access_token).cnf).toEqual({ jkt: device.jkt });
    expect((await provenRefresh(api, device, tokens.refresh_token)).status).toBe(200);
  });

  it('takes exactly one proof', async () => {
    const { token } = await oneFactorSession();
    for (const body of [{}, { password: 'x', totp: '1' }, { totp: '1', recovery_code: 'x' }]) {
      expect((await stepUp(token, body)).status).toBe(400);
    }
    const { email } = await api.register();
    const { access_token: other } = await api.logIn({ email });
    expect((await stepUp(other, { totp: '123456' })).body.code).toBe('conflict');
  });
});

describe('a locked user', () => {
  // Fails when a right password clears the count: nine tries of the code, the password, nine more.
  it('is not stepped up after ten wrong proofs of one session, whatever they were', async () => {
    const { id, token, app, sessionId } = await oneFactorSession();
    for (let count = 0; count < 5; count += 1) {
      await stepUp(token, { totp: app.wrongCode() });
      await stepUp(token, { password: testPassword });
      await stepUp(token, { password: 'a wrong sentence' });
    }
    const refused = await stepUp(token, { totp: app.code(1) });
    expect(refused.body.code).toBe('invalid_credentials');
    expect((await stepUp(token, { password: testPassword })).status).toBe(401);
    expect((await api.eventsOf(id)).at(-1)).toMatchObject({
      type: 'DeviceLocked',
      data: { deviceId: sessionId },
    });
  });

  // Fails when strangers can keep a user from stepping up, or from refreshing.
  it('by strangers goes on in the sessions that live', async () => {
    const { email, token, app, refresh } = await oneFactorSession();
    const wrong = { email, password: 'a wrong sentence' };
    for (let count = 0; count < 10; count += 1) {
      await api.call('POST', '/auth/login', { body: wrong });
    }
    expect((await stepUp(token, { totp: app.code(1) })).status).toBe(200);
    expect((await api.refresh(refresh)).status).toBe(200);
  });
});
