import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0' });
});
afterAll(() => api.stop());

const register = (email: string) =>
  api.call('POST', '/auth/register', { body: { email, password: testPassword } });
const logIn = (email: string) =>
  api.call('POST', '/auth/login', { body: { email, password: testPassword } });
const search = async (email: string) => {
  const { access_token: token } = await api.admin();
  const query = new URLSearchParams({ email });
  return (await api.call('GET', `/admin/users?${query}`, { token })).body.users;
};

describe('the spellings of one address', () => {
  // Fails when the lookup key is the text, lower-cased.
  it.each([
    ['full width in the domain', 'zoe@ｅｘａｍｐｌｅ.test', 'zoe@example.test'],
    ['the Kelvin sign', '\u212aim@example.test', 'kim@example.test'],
    ['sharp s', 'weiß@example.test', 'WEISS@example.test'],
    ['space around', ' space@example.test ', 'space@example.test'],
  ])('E1: are one account: %s', async (_, first, second) => {
    const registered = await register(first);
    expect(registered.status).toBe(201);
    const { id } = registered.body.user;

    expect((await register(second)).status).toBe(409);
    expect((await logIn(second)).body.user.id).toBe(id);
    expect((await search(second)).map((user: { id: string }) => user.id)).toEqual([id]);
  });

  it('E1: leave the stored address as it was typed', async () => {
    const { body } = await register('Zo\u0065\u0308.Typed@Example.TEST');
    expect(body.user.email).toBe('Zo\u00eb.Typed@example.test');
  });

  it('E1: are one registration under an Idempotency-Key', async () => {
    const email = anEmail();
    const once = { 'Idempotency-Key': 'one-registration' };
    const body = { email, password: testPassword };
    const first = await api.call('POST', '/auth/register', { body, headers: once });
    const upper = { ...body, email: ` ${email.toUpperCase()}` };
    const again = await api.call('POST', '/auth/register', { body: upper, headers: once });
    expect(again).toMatchObject({ status: 201, body: first.body });
  });

  it('E10: may have ASCII space around them at register, login and search', async () => {
    const email = anEmail();
    const { body } = await register(`  ${email} `);
    expect(body.user.email).toBe(email);
    expect((await logIn(` ${email}  `)).status).toBe(200);
    expect(await search(`  ${email}`)).toHaveLength(1);
  });

  it.each([
    ['a local part over 64 octets', `${'é'.repeat(33)}@example.test`],
    ['a label over 63 octets', `a@${'b'.repeat(64)}.test`],
    ['a label over 63 octets in UTF-8', `a@${'例'.repeat(22)}.test`],
    ['a domain over 253 octets', `a@${'b'.repeat(50)}${'.bbbbbbbbbb'.repeat(19)}`],
    ['an invisible character', 'a\u200bb@example.test'],
  ])('E2: are 400 with %s', async (_, email) => {
    const { status, body } = await register(email);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});
