import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

const issuer = 'http://latchkey.test';
const shopApi = 'https://shop.example';
const mailApi = 'https://mail.example';

let api: TestApi;
let admin: string;
beforeAll(async () => {
  api = await startTestApi({ ISSUER: issuer, DEFAULT_AUDIENCE: shopApi });
  admin = (await api.admin()).access_token;
});
afterAll(() => api.stop());

interface Client {
  client_id: string;
  client_secret: string;
}

/** First-party, so that the tests can log in for it. */
async function client(fields: object = {}): Promise<Client> {
  const body = { name: 'a client', first_party: true, ...fields };
  return (await api.call('POST', '/admin/clients', { token: admin, body })).body;
}

async function logIn(fields: Record<string, unknown> = {}) {
  const { email } = await api.register();
  return api.logIn({ email, fields });
}

const introspect = (by: Client, token: string, node: TestApi = api) =>
  node.call('POST', '/oauth2/introspect', {
    basic: [by.client_id, by.client_secret],
    form: { token },
  });

describe('POST /oauth2/introspect', () => {
  it('answers the claims of a good token to a client that it is meant for', async () => {
    const login = await logIn();
    const { status, body, headers } = await introspect(await client(), login.access_token);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({
      active: true,
      token_type: 'Bearer',
      iss: issuer,
      aud: [shopApi],
      sub: login.user.id,
      sid: login.session.id,
    });
  });

  // Fails when `roles: []` and `scope: ""` are written: Authlib and Spring refuse such tokens.
  it('D2: leaves out roles and scope where there are none, as the token does', async () => {
    const { access_token } = await logIn();
    const { body } = await introspect(await client(), access_token);
    const payload = JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString());
    for (const claims of [body, payload]) {
      expect(claims.sub).toBeTypeOf('string');
      expect(claims).not.toHaveProperty('roles');
      expect(claims).not.toHaveProperty('scope');
    }
  });

  it('takes client credentials from the form as well', async () => {
    const { access_token } = await logIn();
    const form = { ...(await client()), token: access_token };
    expect((await api.call('POST', '/oauth2/introspect', { form })).body.active).toBe(true);
  });

  it('tells a client for another audience exactly {"active":false}', async () => {
    const { access_token } = await logIn();
    const mail = await client({ audiences: [mailApi] });
    expect((await introspect(mail, access_token)).body).toEqual({ active: false });
  });

  it('A1: takes a token for each audience that it names, and for no other', async () => {
    const { access_token } = await logIn();
    const ours = await client({ audiences: [issuer] });
    expect((await introspect(ours, access_token)).body).toEqual({ active: false });
    const forBoth = await logIn({ audience: [shopApi, issuer] });
    expect((await introspect(ours, forBoth.access_token)).body.active).toBe(true);
    const forUs = await logIn({ audience: issuer });
    expect((await introspect(ours, forUs.access_token)).body.active).toBe(true);
    expect((await introspect(await client(), forUs.access_token)).body).toEqual({ active: false });
  });

  it('answers the scope introspect.all about every token', async () => {
    const { access_token } = await logIn();
    const gateway = await client({ audiences: [mailApi], scopes: ['introspect.all'] });
    expect((await introspect(gateway, access_token)).body.active).toBe(true);
  });

  it('is inactive as soon as the session has ended, on every node', async () => {
    const gateway = await client();
    const other = await api.anotherNode();
    const { access_token, refresh_token } = await logIn();
    expect((await introspect(gateway, access_token, other)).body.active).toBe(true);
    await api.call('POST', '/auth/logout', { body: { refresh_token } });
    expect((await introspect(gateway, access_token)).body).toEqual({ active: false });
    const seen = async () => (await introspect(gateway, access_token, other)).body;
    await expect.poll(seen).toEqual({ active: false });
  });

  it('is inactive for refresh tokens, changed tokens and nonsense', async () => {
    const gateway = await client({ scopes: ['introspect.all'] });
    const { access_token, refresh_token } = await logIn();
    for (const token of [refresh_token, `${access_token}x`, 'nonsense', 'non\0sense']) {
      expect((await introspect(gateway, token)).body).toEqual({ active: false });
    }
  });

  it('refuses a client that proves nothing, with a Basic challenge', async () => {
    const { access_token } = await logIn();
    const known = await client();
    const wrong = await introspect({ ...known, client_secret: 'wrong' }, access_token);
    expect([wrong.status, wrong.body.error]).toEqual([401, 'invalid_client']);
    expect(wrong.headers.get('www-authenticate')).toMatch(/^Basic /);
    const form = { token: access_token };
    expect((await api.call('POST', '/oauth2/introspect', { form })).status).toBe(401);
  });

  it('refuses no token, two tokens, JSON and an endless body, each as an OAuth error', async () => {
    const { client_id, client_secret } = await client();
    const basic = [client_id, client_secret] as const;
    const send = (body: string, type = 'application/x-www-form-urlencoded') =>
      fetch(`${api.url}/oauth2/introspect`, {
        method: 'POST',
        body,
        headers: {
          'content-type': type,
          authorization: `Basic ${Buffer.from(basic.join(':')).toString('base64')}`,
        },
      });
    const answers = await Promise.all([
      send(''),
      send('token=a&token=b'),
      send('{"token":"a"}', 'application/json'),
      send(`token=${'a'.repeat(17_000)}`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 415, 413]);
    for (const answer of answers) {
      expect(await answer.json()).toMatchObject({ error: 'invalid_request' });
    }
  });

  it('answers a page with the same, by way of the declared route', async () => {
    const { access_token } = await logIn();
    const { client_id, client_secret } = await client();
    const answer = await api.call('POST', '/oauth2/introspect', {
      basic: [client_id, client_secret],
      form: { token: access_token },
      headers: { origin: issuer },
    });
    expect(answer.body.active).toBe(true);
    expect(answer.headers.get('vary')).toContain('Origin');
  });
});

describe('POST /oauth2/revoke', () => {
  const revoke = (by: Client, token: string) =>
    api.call('POST', '/oauth2/revoke', {
      basic: [by.client_id, by.client_secret],
      form: { token, token_type_hint: 'whatever' },
    });

  it.each(['access_token', 'refresh_token'])('ends the session of its %s', async (kind) => {
    const shop = await client();
    const login = await logIn({ ...shop });
    expect((await revoke(shop, login[kind])).status).toBe(200);
    expect(await api.verify(login.access_token)).toBe(401);
    const { client_id, client_secret } = shop;
    const { body } = await api.call('POST', '/oauth2/token', {
      basic: [client_id, client_secret],
      form: { grant_type: 'refresh_token', refresh_token: login.refresh_token },
    });
    expect(body.error).toBe('invalid_grant');
    expect((await revoke(shop, login[kind])).status).toBe(200);
    const events = await api.eventsOf(login.session.id);
    expect(events.map(({ meta }) => [meta.actor_type, meta.actor])).toEqual([
      ['user', login.user.id],
      ['client', client_id],
    ]);
  });

  it('lets a public client revoke by its name', async () => {
    const { client_id } = await client({ kind: 'public' });
    const login = await logIn({ client_id });
    const form = { token: login.refresh_token, client_id };
    expect((await api.call('POST', '/oauth2/revoke', { form })).status).toBe(200);
    expect(await api.verify(login.access_token)).toBe(401);
  });

  it("answers 200 and leaves another client's token, a first-party one and nonsense alone", async () => {
    const shop = await client();
    const others = await logIn({ ...(await client()) });
    const firstParty = await logIn();
    for (const token of [others.access_token, others.refresh_token, firstParty.refresh_token]) {
      expect((await revoke(shop, token)).status).toBe(200);
    }
    for (const nonsense of ['nonsense', 'non\0sense']) {
      expect((await revoke(shop, nonsense)).status).toBe(200);
    }
    expect(await api.verify(others.access_token)).toBe(204);
    expect(await api.verify(firstParty.access_token)).toBe(204);
  });

  it('asks for client authentication and a token', async () => {
    const shop = await client();
    const anonymous = await api.call('POST', '/oauth2/revoke', { form: { token: 'x' } });
    expect([anonymous.status, anonymous.body.error]).toEqual([401, 'invalid_client']);
    const empty = await revoke(shop, '');
    expect([empty.status, empty.body.error]).toEqual([400, 'invalid_request']);
  });
});
