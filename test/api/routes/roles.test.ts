import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
let token: string;
let adminId: string;
beforeAll(async () => {
  api = await startTestApi();
  const admin = await api.admin();
  token = admin.access_token;
  adminId = admin.user.id;
});
afterAll(() => api.stop());

const change = (method: 'PUT' | 'DELETE', id: string, role: string) =>
  api.call(method, `/admin/users/${id}/roles/${encodeURIComponent(role)}`, { token });

describe('PUT and DELETE /admin/users/{id}/roles/{role}', () => {
  it('grants a role, which tokens carry from the next refresh on', async () => {
    const { email, id } = await api.register();
    const before = await api.logIn({ email });
    expect((await change('PUT', id, 'admin')).status).toBe(204);
    const dashboard = (bearer: string) =>
      api.call('GET', '/api/admin/dashboard', { token: bearer });
    expect((await dashboard(before.access_token)).status).toBe(403);
    const { body } = await api.refresh(before.refresh_token);
    expect(body.user.roles).toEqual(['admin']);
    expect((await dashboard(body.access_token)).status).toBe(200);
  });

  it('revokes a role: tokens that carry it are stale at once, the session lives', async () => {
    const { email, id } = await api.register();
    await change('PUT', id, 'admin');
    const before = await api.logIn({ email });
    expect((await change('DELETE', id, 'admin')).status).toBe(204);
    const stale = await api.call('GET', '/auth/me', { token: before.access_token });
    expect(stale.body.code).toBe('token_stale');
    const { status, body } = await api.refresh(before.refresh_token);
    expect([status, body.user.roles]).toEqual([200, []]);
  });

  it('is idempotent', async () => {
    const { id } = await api.register();
    await change('PUT', id, 'editor');
    expect((await change('PUT', id, 'editor')).status).toBe(204);
    await change('DELETE', id, 'editor');
    expect((await change('DELETE', id, 'editor')).status).toBe(204);
    expect(await api.eventsOf(id)).toHaveLength(3);
  });

  it('takes no role that is reserved or cannot travel in a header', async () => {
    const { id } = await api.register();
    for (const role of ['latchkey:root', 'two words', 'a,b', 'ünïcode']) {
      expect((await change('PUT', id, role)).body.code).toBe('invalid_request');
    }
  });

  // Fails when an administrator who has no password, and so cannot log in, counts as another one.
  it('keeps the last administrator who can log in', async () => {
    const made = await api.call('POST', '/admin/users', {
      token,
      body: { email: 'nobody@example.com', roles: ['latchkey:admin'] },
    });
    expect(made.status).toBe(201);
    const refused = await change('DELETE', adminId, 'latchkey:admin');
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
    expect((await change('DELETE', adminId, 'latchkey:auditor')).status).toBe(204);
    token = (await api.admin()).access_token;
  });
});
