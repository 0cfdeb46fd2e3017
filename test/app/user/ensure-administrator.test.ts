import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAdministrator } from '../../../src/app/user/ensure-administrator.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

describe('ensureAdministrator', () => {
  it('makes one who may administer, once, however many nodes start at once', async () => {
    const other = await api.anotherNode();
    const email = 'operator@example.com';
    const credentials = { email, password: testPassword };
    const made = await Promise.all(
      [api, other, api, other].map(({ node }) => ensureAdministrator(node, credentials)),
    );
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    const { user, access_token: token } = await api.logIn({ email });
    expect(user.roles).toEqual(['latchkey:admin', 'latchkey:auditor']);
    expect((await api.call('GET', '/admin/users', { token })).status).toBe(200);
  });

  it('leaves a user who is there as it is: neither password nor roles change', async () => {
    const { email, id } = await api.register();
    const credentials = { email: email.toUpperCase(), password: 'not the password of that user' };
    expect(await ensureAdministrator(api.node, credentials)).toMatchObject({ created: false });
    expect(await api.eventsOf(id)).toHaveLength(1);
    expect((await api.logIn({ email })).user.roles).toEqual([]);
  });

  it('refuses a password that breaks the rules', async () => {
    const weak = { email: 'weak@example.com', password: 'short' };
    await expect(ensureAdministrator(api.node, weak)).rejects.toMatchObject({
      code: 'password_refused',
    });
  });
});
