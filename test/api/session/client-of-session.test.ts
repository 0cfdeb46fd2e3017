import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
let admin: string;
let shop: { client_id: string; client_secret: string };
let bank: { client_id: string; client_secret: string };
let app: { client_id: string };
beforeAll(async () => {
  api = await startTestApi();
  admin = (await api.admin()).access_token;
  shop = await register({ name: 'shop' });
  bank = await register({ name: 'bank' });
  app = await register({ name: 'app', kind: 'public' });
});
afterAll(() => api.stop());

async function register(fields: object) {
  const body = { first_party: true, ...fields };
  const answer = await api.call('POST', '/admin/clients', { token: admin, body });
  return answer.body as { client_id: string; client_secret: string };
}

async function logIn(client: object): Promise<{ refresh_token: string; session: { id: string } }> {
  const { email } = await api.register();
  return api.logIn({ email, fields: { ...client } });
}
const refresh = (refresh_token: string, fields: object = {}, options: object = {}) =>
  api.call('POST', '/auth/refresh', { body: { refresh_token, ...fields }, ...options });

describe("a refresh of a confidential client's session", () => {
  // Fails when the client is not asked, or is asked after the token was looked at.
  it('A4: needs its client authentication, and without it changes nothing', async () => {
    const { refresh_token, session } = await logIn(shop);
    const { client_id } = shop;
    const { body: next } = await refresh(refresh_token, shop);
    const before = await api.eventsOf(session.id);
    const tries: [string, object][] = [
      [next.refresh_token, {}],
      [refresh_token, {}],
      [next.refresh_token, { client_id }],
      [next.refresh_token, { client_id, client_secret: 'x'.repeat(43) }],
    ];
    for (const [token, fields] of tries) {
      const answer = await refresh(token, fields);
      expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_client' } });
    }
    const foreign = await refresh(next.refresh_token, bank);
    expect(foreign).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
    expect(await api.eventsOf(session.id)).toEqual(before);
    expect((await refresh(next.refresh_token, shop)).status).toBe(200);
  });

  it('A4: does not tell a thief whether a used token has ended it', async () => {
    const { refresh_token } = await logIn(shop);
    await api.call('POST', '/auth/logout', { body: { refresh_token } });
    expect((await refresh(refresh_token)).body.code).toBe('invalid_client');
    expect((await refresh(refresh_token, shop)).body.code).toBe('session_ended');
  });

  it('A4: takes the authentication from Basic as well, and not from both', async () => {
    const { refresh_token } = await logIn(shop);
    const basic = [shop.client_id, shop.client_secret] as const;
    expect((await refresh(refresh_token, shop, { basic })).status).toBe(400);
    expect((await refresh(refresh_token, { client_secret: 'x' })).status).toBe(400);
    expect((await refresh(refresh_token, {}, { basic })).status).toBe(200);
    const { refresh_token: named } = await logIn(shop);
    const { client_id } = shop;
    expect((await refresh(named, { client_id }, { basic })).status).toBe(200);
  });

  // Fails when Basic that somebody else asked for makes a confidential client of none.
  it('A4: reads Basic only where a client has to prove itself', async () => {
    const basic = ['staging', 'a password'] as const;
    const own = await logIn({});
    expect((await refresh(own.refresh_token, {}, { basic })).status).toBe(200);
    const open = await logIn(app);
    expect((await refresh(open.refresh_token, app, { basic })).status).toBe(200);
    const ofShop = await logIn(shop);
    const refused = await refresh(ofShop.refresh_token, {}, { basic });
    expect(refused).toMatchObject({ status: 401, body: { code: 'invalid_client' } });
    const { body } = await refresh(ofShop.refresh_token, shop);
    // A client that says by its name that it is one is held to what it presents.
    const named = { client_id: shop.client_id };
    const wrong = [shop.client_id, 'x'.repeat(43)] as const;
    expect((await refresh(body.refresh_token, named, { basic: wrong })).status).toBe(401);
    const foreign = await logIn({});
    const shopBasic = [shop.client_id, shop.client_secret] as const;
    const answer = await refresh(foreign.refresh_token, named, { basic: shopBasic });
    expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
  });

  it('A4: needs it in cookie mode, too', async () => {
    const { email } = await api.register();
    const headers = { origin: 'http://latchkey.test' };
    const login = await api.call('POST', '/auth/login', {
      body: { email, password: testPassword, transport: 'cookie', ...shop },
      headers,
    });
    const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
    const send = (fields: object) =>
      api.call('POST', '/auth/refresh', { body: fields, headers: { ...headers, cookie } });
    expect((await send({})).body.code).toBe('invalid_client');
    expect((await send(shop)).status).toBe(200);
  });

  // Its refresh token proves enough to end it: that gives nothing to a thief.
  it('A4: is not needed to log out; /oauth2/revoke asks for it as RFC 7009 says', async () => {
    const first = await logIn(shop);
    const form = { token: first.refresh_token };
    expect((await api.call('POST', '/oauth2/revoke', { form })).status).toBe(401);
    const named = { ...form, client_id: shop.client_id };
    expect((await api.call('POST', '/oauth2/revoke', { form: named })).status).toBe(401);
    expect((await refresh(first.refresh_token, shop)).status).toBe(200);
    const second = await logIn(shop);
    const body = { refresh_token: second.refresh_token };
    expect((await api.call('POST', '/auth/logout', { body })).status).toBe(204);
  });
});

describe('a refresh of another session', () => {
  it('A4: of a public client needs no authentication, and no other client may do it', async () => {
    const { refresh_token } = await logIn(app);
    expect((await refresh(refresh_token, shop)).body.code).toBe('invalid_token');
    const { body } = await refresh(refresh_token, app);
    expect((await refresh(body.refresh_token)).status).toBe(200);
  });

  it("A4: without a client is no client's", async () => {
    const { refresh_token } = await logIn({});
    expect((await refresh(refresh_token, shop)).body.code).toBe('invalid_token');
    expect((await refresh(refresh_token)).status).toBe(200);
  });
});
