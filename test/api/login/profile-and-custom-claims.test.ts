import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { askForItself, basicOf, type Client, registerClient } from '../routes/token-world.ts';

const issuer = 'http://latchkey.test';
const shop = 'https://shop.example';
const reports = 'https://reports.example';
const claims = {
  tier: 'gold "\\ Größe',
  seats: 12,
  beta: true,
  'https://shop.example/regions': ['eu', 'us'],
};
const profileNames = ['email', 'email_verified', 'name', 'phone_number'];

let api: TestApi;
let client: Client;
beforeAll(async () => {
  api = await startTestApi({
    DEFAULT_AUDIENCE: shop,
    PROFILE_CLAIMS: JSON.stringify({ [shop]: ['email', 'email_verified', 'name'] }),
  });
  const audiences = [shop, reports, issuer];
  client = await registerClient(api, { audiences, first_party: true, claims });
});
afterAll(() => api.stop());

async function named(name: string | null = null) {
  const { email } = await api.register();
  const fields = { audience: issuer };
  const { access_token: token } = await api.logIn({ email, fields });
  await api.call('PATCH', '/auth/me', { token, body: { name } });
  return email;
}

async function tokenOf(email: string, audience: string[] | undefined = undefined) {
  const fields = { ...client, ...(audience && { audience }) };
  const { access_token } = await api.logIn({ email, fields });
  return access_token as string;
}

const saidIn = (token: string) =>
  Object.keys(decodeJwt(token)).filter((name) => profileNames.includes(name));

describe('the profile in a token', () => {
  it('stands there for an audience that is configured to see it', async () => {
    const email = await named('Ada Lovelace');
    const token = await tokenOf(email);
    expect(decodeJwt(token)).toMatchObject({
      aud: [shop],
      email,
      email_verified: false,
      name: 'Ada Lovelace',
    });
    expect(await api.verify(token)).toBe(204);
  });

  // Fails when a token tells an audience that is not listed who its user is.
  it('stands in no token for another audience, alone or beside a listed one', async () => {
    const email = await named('Ada Lovelace');
    for (const audience of [[reports], [issuer], [shop, reports], [reports, shop, issuer]]) {
      expect(saidIn(await tokenOf(email, audience)), audience.join()).toEqual([]);
    }
    const own = await askForItself(api, client);
    expect(saidIn(own.body.access_token)).toEqual([]);
  });

  it('is read again at each refresh, and goes with the name that the user clears', async () => {
    const { email } = await api.register();
    const fields = { audience: issuer };
    const { access_token: token } = await api.logIn({ email, device: 'mobile', fields });
    const { access_token, refresh_token } = await api.logIn({ email });
    expect(saidIn(access_token)).toEqual(['email', 'email_verified']);
    await api.call('PATCH', '/auth/me', { token, body: { name: 'Ada' } });
    const { body: next } = await api.refresh(refresh_token);
    expect(decodeJwt(next.access_token).name).toBe('Ada');
    await api.call('PATCH', '/auth/me', { token, body: { name: null } });
    const { body: last } = await api.refresh(next.refresh_token);
    expect(saidIn(last.access_token)).toEqual(['email', 'email_verified']);
  });

  it('is left out of a refresh that asks for another part of the audiences', async () => {
    const email = await named('Ada');
    const fields = { ...client, audience: [shop, reports] };
    const { refresh_token } = await api.logIn({ email, fields });
    const ask = async (refresh: string, resource: string) => {
      const form = { grant_type: 'refresh_token', refresh_token: refresh, resource };
      return (await api.call('POST', '/oauth2/token', { basic: basicOf(client), form })).body;
    };
    const forShop = await ask(refresh_token, shop);
    expect(saidIn(forShop.access_token)).toEqual(['email', 'email_verified', 'name']);
    const forReports = await ask(forShop.refresh_token, reports);
    expect(saidIn(forReports.access_token)).toEqual([]);
  });

  it('is nothing where nothing is configured, which is the default', async () => {
    const plain = await startTestApi();
    const { email } = await plain.register();
    expect(saidIn((await plain.logIn({ email })).access_token)).toEqual([]);
    await plain.stop();
  });
});

describe('the custom claims of a client', () => {
  it('stand in its own tokens and in those of its users, and nowhere else', async () => {
    const { email } = await api.register();
    const own = await askForItself(api, client);
    for (const token of [own.body.access_token, await tokenOf(email)]) {
      expect(decodeJwt(token)).toMatchObject(claims);
      expect(await api.verify(token)).toBe(204);
      const asked = { basic: basicOf(client), form: { token } };
      const { body } = await api.call('POST', '/oauth2/introspect', asked);
      expect(body).toMatchObject({ active: true, ...claims });
    }
    const { access_token } = await api.logIn({ email });
    expect(decodeJwt(access_token)).not.toHaveProperty('tier');
  });

  it('are shown to administrators, and survive a retry of the registration', async () => {
    const { access_token: token } = await api.admin();
    const path = `/admin/clients/${client.client_id}`;
    expect((await api.call('GET', path, { token })).body.claims).toEqual(claims);
    const headers = { 'idempotency-key': 'claims-1' };
    const post = (sent: object) =>
      api.call('POST', '/admin/clients', { token, headers, body: { name: 'x', claims: sent } });
    const first = await post({ tier: 'a', ab: 1 });
    expect(await post({ ab: 1, tier: 'a' })).toMatchObject({ status: 201 });
    expect((await post({ ab: 1, tier: 'b' })).status).toBe(409);
    expect(first.status).toBe(201);
  });

  it.each([
    ['a registered claim', { sub: 'x' }],
    ['rights', { roles: ['latchkey:admin'] }],
    ['a member of an introspection', { active: true }],
    ['a profile claim', { email: 'admin@example.com' }],
    ['a map', { a: { b: 1 } }],
    ['more than fits', { a: 'x'.repeat(513) }],
  ])('are never %s', async (_, sent) => {
    const { access_token: token } = await api.admin();
    const body = { name: 'x', claims: sent };
    const answer = await api.call('POST', '/admin/clients', { token, body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});
