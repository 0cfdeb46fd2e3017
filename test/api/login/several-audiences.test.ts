import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

const issuer = 'http://latchkey.test';
const shop = 'https://shop.example';
const bank = 'https://bank.example';
const mail = 'https://mail.example';
const longest = (n: number) => `https://${n}.example/`.padEnd(limits.audienceCharactersMax, 'x');

let api: TestApi;
let email: string;
let app: { client_id: string; client_secret: string };
let clientOf: Record<string, { client_id: string; client_secret: string }>;
beforeAll(async () => {
  api = await startTestApi();
  const { access_token: token } = await api.admin();
  const make = async (body: object) =>
    (await api.call('POST', '/admin/clients', { token, body })).body;
  const audiences = [shop, bank, issuer, ...[1, 2, 3, 4, 5].map(longest)];
  app = await make({ name: 'app', audiences, first_party: true });
  clientOf = {};
  for (const audience of [shop, bank, mail]) {
    clientOf[audience] = await make({ name: audience, audiences: [audience] });
  }
  email = (await api.register()).email;
});
afterAll(() => api.stop());

const logIn = (audience: unknown) => {
  const { client_id, client_secret } = app;
  const body = { email, password: testPassword, client_id, client_secret, audience };
  return api.call('POST', '/auth/login', { body });
};
const audiencesOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).aud;
const statusFor = async (token: string, audience: string) => {
  const path = `/auth/verify?aud=${encodeURIComponent(audience)}`;
  return (await api.call('GET', path, { token })).status;
};
const isActiveFor = async (token: string, audience: string) => {
  const { client_id, client_secret } = clientOf[audience]!;
  const options = { form: { token }, basic: [client_id, client_secret] as const };
  return (await api.call('POST', '/oauth2/introspect', options)).body;
};

describe('a token for two services', () => {
  it('names both and not the issuer, in the order in which the login asked', async () => {
    const { body } = await logIn([bank, shop]);
    expect(audiencesOf(body.access_token)).toEqual([bank, shop]);
    expect((await api.call('GET', '/auth/sessions', { token: body.access_token })).status).toBe(
      401,
    );
  });

  it('is good for each of them at /auth/verify, and for no third', async () => {
    const { access_token: token } = (await logIn([bank, shop])).body;
    expect(await statusFor(token, bank)).toBe(204);
    expect(await statusFor(token, shop)).toBe(204);
    expect(await statusFor(token, mail)).toBe(401);
    expect(await statusFor(token, issuer)).toBe(401);
    expect(await api.verify(token)).toBe(401);
  });

  it('is active for a client of either, and for no third', async () => {
    const { access_token: token } = (await logIn([bank, shop])).body;
    expect(await isActiveFor(token, bank)).toMatchObject({ active: true, aud: [bank, shop] });
    expect(await isActiveFor(token, shop)).toMatchObject({ active: true, aud: [bank, shop] });
    expect(await isActiveFor(token, mail)).toEqual({ active: false });
  });

  // Fails when a refresh asks for the client's first audience, or for the default, again.
  it('is followed by tokens for the same two, however often the session is refreshed', async () => {
    const { body } = await logIn([bank, shop]);
    const basic = [app.client_id, app.client_secret] as const;
    let { refresh_token } = body;
    for (const generation of [2, 3]) {
      const form = { grant_type: 'refresh_token', refresh_token };
      const answer = await api.call('POST', '/oauth2/token', { form, basic });
      expect(audiencesOf(answer.body.access_token), `generation ${generation}`).toEqual([
        bank,
        shop,
      ]);
      refresh_token = answer.body.refresh_token;
    }
    const [started] = await api.eventsOf(body.session.id);
    expect(started).toMatchObject({ data: { audience: [bank, shop] } });
  });

  it('is good at the issuer too where the login named it', async () => {
    const { access_token: token } = (await logIn([shop, issuer])).body;
    expect(audiencesOf(token)).toEqual([shop, issuer]);
    expect((await api.call('GET', '/auth/sessions', { token })).status).toBe(200);
    expect(await statusFor(token, shop)).toBe(204);
  });

  it('names what the login named twice once', async () => {
    const { body } = await logIn([shop, shop, bank, shop]);
    expect(audiencesOf(body.access_token)).toEqual([shop, bank]);
  });
});

describe('a list of audiences that a login is refused for', () => {
  const tooMany = Array.from({ length: limits.audiencesPerClientMax + 1 }, () => shop);
  // Fails when a list is judged as if it had to be one string: "expected string, received array".
  it.each<[string, unknown, string, RegExp]>([
    ['is empty', [], 'audience', /^Too small: expected array/],
    ['names one that the client may not have', [shop, mail], 'audience', /^not an audience that/],
    ['names more than a client can have', tooMany, 'audience', /^Too big: expected array/],
    [
      'names more than fit into one token',
      [1, 2, 3, 4, 5].map(longest),
      'audience',
      /^more audiences than fit into one token$/,
    ],
    ['holds no string', [shop, null], 'audience.1', /^Invalid input: expected string/],
    ['holds a list', [[shop]], 'audience.0', /^Invalid input: expected string, received array/],
    ['is an object', { 0: shop }, 'audience', /^Invalid input: expected .*, received object/],
  ])('%s: 400, and what was wrong with it', async (_, audience, path, message) => {
    const answer = await logIn(audience);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(answer.body.errors).toEqual([{ path, message: expect.stringMatching(message) }]);
  });
});
