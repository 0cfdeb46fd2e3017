import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { provenCall, TestDevice } from '../../support/dpop.ts';
import { askToken, basicOf, type Client, claimsOf, registerClient } from '../routes/token-world.ts';

const issuer = 'http://latchkey.test';
const orders = 'https://orders.example';

let api: TestApi;
let shop: Client;
let bank: Client;
let app: Client;
beforeAll(async () => {
  api = await startTestApi();
  const first_party = true;
  shop = await registerClient(api, { name: 'shop', first_party, audiences: [issuer, orders] });
  bank = await registerClient(api, { name: 'bank', first_party });
  app = await registerClient(api, { name: 'app', kind: 'public', first_party });
});
afterAll(() => api.stop());

async function logIn(client: object, fields: object = {}) {
  const { email } = await api.register();
  return api.logIn({ email, fields: { ...client, ...fields } });
}

/** A refresh by a session's client at the token endpoint. */
const exchange = (client: Client, refresh_token: string, form: Record<string, string> = {}) =>
  askToken(api, client, { grant_type: 'refresh_token', refresh_token, ...form });

/** The same by a client that only names itself. */
const exchangeByName = (client_id: string, refresh_token: string) =>
  api.call('POST', '/oauth2/token', {
    form: { grant_type: 'refresh_token', refresh_token, client_id },
  });

const refresh = (refresh_token: string, fields: object = {}, options: object = {}) =>
  api.call('POST', '/auth/refresh', { body: { refresh_token, ...fields }, ...options });

describe("a refresh of a confidential client's session", () => {
  it('A4: is one at the token endpoint, and answers no user', async () => {
    const { refresh_token, session } = await logIn(shop);
    const { status, body, headers } = await exchange(shop, refresh_token);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      refresh_token: expect.any(String),
    });
    expect(claimsOf(body.access_token)).toMatchObject({ sid: session.id, aud: [issuer] });
    const events = await api.eventsOf(session.id);
    expect(events.at(-1)).toMatchObject({
      type: 'SessionRefreshed',
      meta: { actor_type: 'client', actor: shop.client_id },
    });
    expect((await exchange(shop, body.refresh_token)).status).toBe(200);
  });

  // Fails when the client is not asked, or is asked after the token was looked at.
  it('A4: needs its client authentication, and without it changes nothing', async () => {
    const { refresh_token, session } = await logIn(shop);
    const { body: next } = await exchange(shop, refresh_token);
    const before = await api.eventsOf(session.id);
    const wrong = { ...shop, client_secret: 'x'.repeat(43) };
    for (const token of [next.refresh_token, refresh_token]) {
      for (const fields of [{}, { client_id: shop.client_id }]) {
        const answer = await refresh(token, fields);
        expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_client' } });
      }
      for (const answer of [
        await exchange(wrong, token),
        await exchangeByName(shop.client_id, token),
      ]) {
        expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
      }
      for (const other of [bank, { ...app, client_secret: '' }]) {
        const answer = await exchange(other, token);
        expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
      }
    }
    expect(await api.eventsOf(session.id)).toEqual(before);
    expect((await exchange(shop, next.refresh_token)).status).toBe(200);
  });

  // Fails when /auth/refresh reads the secret of a client, as it did once.
  it('A4: is none of /auth/refresh, whatever the client sends there', async () => {
    const { refresh_token, session } = await logIn(shop);
    expect((await refresh(refresh_token, shop)).status).toBe(400);
    const named = { client_id: shop.client_id };
    const answer = await refresh(refresh_token, named, { basic: basicOf(shop) });
    expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_client' } });
    expect(await api.eventsOf(session.id)).toHaveLength(1);
  });

  it('A4: does not tell a thief whether a used token has ended it', async () => {
    const { refresh_token } = await logIn(shop);
    await api.call('POST', '/auth/logout', { body: { refresh_token } });
    expect((await refresh(refresh_token)).body.code).toBe('invalid_client');
    const own = await exchange(shop, refresh_token);
    expect(own).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it('takes the authentication from the form as well, and not from both', async () => {
    const { refresh_token } = await logIn(shop);
    const form = { grant_type: 'refresh_token', refresh_token, ...shop };
    const both = { form, basic: basicOf(shop) };
    expect((await api.call('POST', '/oauth2/token', both)).status).toBe(400);
    expect((await api.call('POST', '/oauth2/token', { form })).status).toBe(200);
  });

  it('A4: is none of a cookie, which the login of such a client refuses to set', async () => {
    const { email } = await api.register();
    const body = { email, password: testPassword, transport: 'cookie', ...shop };
    const headers = { origin: issuer };
    const answer = await api.call('POST', '/auth/login', { body, headers });
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ path: 'transport' }] },
    });
  });

  // Its refresh token proves enough to end it: that gives nothing to a thief.
  it('A4: is not needed to log out; /oauth2/revoke asks for it as RFC 7009 says', async () => {
    const first = await logIn(shop);
    const form = { token: first.refresh_token };
    expect((await api.call('POST', '/oauth2/revoke', { form })).status).toBe(401);
    const named = { ...form, client_id: shop.client_id };
    expect((await api.call('POST', '/oauth2/revoke', { form: named })).status).toBe(401);
    expect((await exchange(shop, first.refresh_token)).status).toBe(200);
    const second = await logIn(shop);
    const body = { refresh_token: second.refresh_token };
    expect((await api.call('POST', '/auth/logout', { body })).status).toBe(204);
  });
});

describe('a refresh of another session', () => {
  it('A4: of a public client needs no authentication, and no other client may do it', async () => {
    const { client_id } = app;
    const { refresh_token } = await logIn({ client_id });
    expect((await exchange(shop, refresh_token)).body.error).toBe('invalid_grant');
    const { body } = await exchangeByName(client_id, refresh_token);
    const { body: again } = await refresh(body.refresh_token, { client_id });
    const foreign = await refresh(again.refresh_token, { client_id: bank.client_id });
    expect(foreign).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
    expect((await refresh(again.refresh_token)).status).toBe(200);
  });

  it("A4: without a client is no client's", async () => {
    const { refresh_token } = await logIn({});
    expect((await exchange(shop, refresh_token)).body.error).toBe('invalid_grant');
    expect((await refresh(refresh_token, { client_id: app.client_id })).status).toBe(401);
    expect((await refresh(refresh_token)).status).toBe(200);
  });

  // Fails when a page's cookie can be taken out of its cookie.
  it('in cookie mode is none of the token endpoint', async () => {
    const { email } = await api.register();
    const { client_id } = app;
    const login = await api.call('POST', '/auth/login', {
      body: { email, password: testPassword, transport: 'cookie', client_id },
      headers: { origin: issuer },
    });
    const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
    const value = cookie.slice(cookie.indexOf('=') + 1);
    const answer = await exchangeByName(client_id, value);
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    const page = { body: {}, headers: { origin: issuer, cookie } };
    expect((await api.call('POST', '/auth/refresh', page)).status).toBe(200);
  });
});

describe('the grant refresh_token', () => {
  it('answers a lost answer again, and ends the session at a reuse', async () => {
    const { refresh_token, access_token } = await logIn(shop);
    const first = await exchange(shop, refresh_token);
    const again = await exchange(shop, refresh_token);
    expect(again.body.refresh_token).toBe(first.body.refresh_token);
    await exchange(shop, first.body.refresh_token);
    const reused = await exchange(shop, refresh_token);
    expect(reused).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    expect(await api.verify(access_token)).toBe(401);
  });

  it('yields a token for a part of the audiences, and the session keeps them all', async () => {
    const { refresh_token } = await logIn(shop, { audience: [issuer, orders] });
    const { body } = await exchange(shop, refresh_token, { resource: orders });
    expect(claimsOf(body.access_token).aud).toEqual([orders]);
    const { body: next } = await exchange(shop, body.refresh_token);
    expect(claimsOf(next.access_token).aud).toEqual([issuer, orders]);
  });

  // Fails when what may not be granted is decided after the rotation.
  it('yields no more than the session has, and a refusal rotates nothing', async () => {
    const { refresh_token, session } = await logIn(shop);
    const target = await exchange(shop, refresh_token, { audience: orders });
    expect(target).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
    const scope = await exchange(shop, refresh_token, { scope: 'openid' });
    expect(scope).toMatchObject({ status: 400, body: { error: 'invalid_scope' } });
    expect(await api.eventsOf(session.id)).toHaveLength(1);
  });

  it('refuses no token, and one that is not ours', async () => {
    const missing = await askToken(api, shop, { grant_type: 'refresh_token' });
    expect(missing).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    for (const nonsense of ['nonsense', 'non\0sense', `lkr_${'x'.repeat(100)}`]) {
      const answer = await exchange(shop, nonsense);
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    }
  });

  it('asks the key of a session that is bound to one, as /auth/refresh does', async () => {
    const device = new TestDevice();
    const { email } = await api.register();
    const body = { email, password: testPassword, ...shop };
    const login = await provenCall(api, device, ['POST', '/auth/login'], { body });
    const { refresh_token } = login.body;
    const form = { grant_type: 'refresh_token', refresh_token };
    const unproven = await exchange(shop, refresh_token);
    expect(unproven).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
    const by = (each: TestDevice) =>
      provenCall(api, each, ['POST', '/oauth2/token'], { basic: basicOf(shop), form });
    expect((await by(new TestDevice())).body.error).toBe('invalid_dpop_proof');
    const { status, body: tokens } = await by(device);
    expect([status, tokens.token_type]).toEqual([200, 'DPoP']);
    expect(claimsOf(tokens.access_token).cnf).toEqual({ jkt: device.jkt });
  });

  // A lock keeps guesses of the password away: it ends no session, here as at /auth/refresh.
  it('goes on for a user whom wrong passwords locked, and ends with a disabled one', async () => {
    const { email, id } = await api.register();
    const { refresh_token } = await api.logIn({ email, fields: { ...shop } });
    for (let tries = 0; tries < 10; tries++) {
      await api.call('POST', '/auth/login', { body: { email, password: 'wrong' } });
    }
    const { body } = await exchange(shop, refresh_token);
    expect(body.refresh_token).toBeTypeOf('string');
    const { access_token: token } = await api.admin();
    await api.call('POST', `/admin/users/${id}/disable`, { token });
    const refused = await exchange(shop, body.refresh_token);
    expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });
});
