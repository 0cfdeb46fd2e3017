import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0' });
});
afterAll(() => api.stop());

const register = (password: string, email = anEmail()) =>
  api.call('POST', '/auth/register', { body: { email, password } });

describe('a new password', () => {
  it.each([
    ['C8', 'correct horse battery staple', 'common'],
    ['C8', 'manchesterunited', 'common'],
    ['C8', 'latchkey-test-1!', 'contains_service_name'],
    ['E3', '\u00e9'.repeat(20), 'repetitive'],
    ['E3', '\n'.repeat(15), 'too_short'],
    ['E3', '\u200b'.repeat(15), 'too_short'],
  ])('%s: %j is refused at a registration, with the reason', async (_, password, reason) => {
    const { status, body } = await register(password);
    expect([status, body.code]).toEqual([422, 'password_refused']);
    expect(body.reasons).toContain(reason);
  });

  it('C8: is refused when it is made of the own address, at a change too', async () => {
    const email = 'john.smith@example.test';
    const password = 'john.smith.1980!';
    expect((await register(password, email)).body.reasons).toEqual(['contains_identifier']);
    await api.register(email);
    const { access_token: token } = await api.logIn({ email });
    const body = { current_password: testPassword, new_password: password };
    const changed = await api.call('POST', '/auth/password', { token, body });
    expect([changed.status, changed.body.reasons]).toEqual([422, ['contains_identifier']]);
  });
});
