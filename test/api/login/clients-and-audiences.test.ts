import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

const issuer = 'http://latchkey.test';
const shop = 'https://shop.example';
const bank = 'https://bank.example';
let api: TestApi;
let email: string;
let confidential: { client_id: string; client_secret: string };
let publicClient: { client_id: string };
let thirdParty: { client_id: string; client_secret: string };
beforeAll(async () => {
  api = await startTestApi({ DEFAULT_AUDIENCE: shop });
  const { access_token: token } = await api.admin();
  const make = async (body: object) =>
    (await api.call('POST', '/admin/clients', { token, body })).body;
  const { client_id, client_secret } = await make({
    name: 'bank',
    audiences: [bank, shop],
    first_party: true,
  });
  confidential = { client_id, client_secret };
  publicClient = {
    client_id: (await make({ name: 'app', kind: 'public', first_party: true })).client_id,
  };
  thirdParty = await make({ name: 'stranger', audiences: [issuer, bank] });
  email = (await api.register()).email;
});
afterAll(() => api.stop());

const logIn = (fields: object) =>
  api.call('POST', '/auth/login', { body: { email, password: testPassword, ...fields } });
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

describe('the audience of a login', () => {
  // Fails when the issuer is added to what was asked for, or a wish is granted without a look.
  it.each([
    ['without a client is the default', () => ({}), [shop]],
    ['of the issuer itself', () => ({ audience: issuer }), [issuer]],
    ['of a client is its first', () => confidential, [bank]],
    ['of a client may be another of its own', () => ({ ...confidential, audience: shop }), [shop]],
    ['of a public client is the default', () => publicClient, [shop]],
    ['D7: may be several', () => ({ audience: [shop, issuer] }), [shop, issuer]],
    [
      'D7: may be all that the client may have, each once',
      () => ({ ...confidential, audience: [shop, bank, shop] }),
      [shop, bank],
    ],
  ])('A1: %s', async (_, fields, expected) => {
    const { body } = await logIn(fields());
    expect(claimsOf(body.access_token).aud).toEqual(expected);
  });

  it.each([
    ['an audience of nobody', () => ({ audience: 'https://other.example' })],
    ['that of another client', () => ({ audience: bank })],
    ['that of another client, by a public one', () => ({ ...publicClient, audience: bank })],
    ['none at all', () => ({ audience: '' })],
    ['D7: an empty list', () => ({ audience: [] })],
    ['D7: one too many in a list', () => ({ audience: [shop, bank] })],
    ['D7: another type in a list', () => ({ audience: [shop, 1] })],
  ])('that asks for %s is a 400, whoever logs in', async (_, fields) => {
    for (const who of [{}, { email: 'nobody@example.com' }, { password: 'wrong' }]) {
      const answer = await logIn({ ...fields(), ...who });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
  });
});

describe('the client of a login', () => {
  // Fails when `firstParty` is not looked at: any registered client could ask for passwords.
  it('A1: must be ours, whoever logs in', async () => {
    for (const who of [{}, { email: 'nobody@example.com' }, { password: 'wrong' }]) {
      const answer = await logIn({ ...thirdParty, ...who });
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    const wrong = await logIn({ ...thirdParty, client_secret: 'x'.repeat(43) });
    expect(wrong).toMatchObject({ status: 401, body: { code: 'invalid_client' } });
  });

  // Fails when a confidential client need not prove its secret.
  it.each([
    ['unknown', () => ({ client_id: '01900000-0000-7000-8000-000000000000' })],
    ['no id', () => ({ client_id: 'x' })],
    ['confidential and silent', () => ({ client_id: confidential.client_id })],
    ['confidential with an empty secret', () => ({ ...confidential, client_secret: '' })],
    [
      'confidential with a wrong secret',
      () => ({ ...confidential, client_secret: 'x'.repeat(43) }),
    ],
    ['public with a secret', () => ({ ...publicClient, client_secret: 'x' })],
  ])('that is %s is `invalid_client`', async (_, fields) => {
    const answer = await logIn(fields());
    expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_client' } });
  });

  it('is in the token, and `latchkey` where there is none', async () => {
    const [first, second] = [await logIn(confidential), await logIn({})];
    expect(claimsOf(first.body.access_token).client_id).toBe(confidential.client_id);
    expect(claimsOf(second.body.access_token).client_id).toBe('latchkey');
  });
});
