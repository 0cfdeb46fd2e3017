import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

describe('GET /api/protected', () => {
  it('answers whoever is logged in, and nobody else', async () => {
    const { email, id } = await api.register();
    const { access_token: token, session } = await api.logIn({ email });
    const { status, body } = await api.call('GET', '/api/protected', { token });
    expect(status).toBe(200);
    expect(body).toMatchObject({ user_id: id, session_id: session.id, roles: [] });
    expect((await api.call('GET', '/api/protected')).status).toBe(401);
    await api.call('POST', '/auth/logout', { token });
    const ended = await api.call('GET', '/api/protected', { token });
    expect([ended.status, ended.body.code]).toEqual([401, 'invalid_token']);
    expect(ended.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });
});

describe('GET /api/admin/dashboard', () => {
  it('needs the role admin, for which latchkey:admin is no substitute', async () => {
    const { access_token: token } = await api.admin();
    const { status, body, headers } = await api.call('GET', '/api/admin/dashboard', { token });
    expect([status, body.code]).toEqual([403, 'insufficient_scope']);
    expect(headers.get('www-authenticate')).toContain('error="insufficient_scope"');
  });
});
