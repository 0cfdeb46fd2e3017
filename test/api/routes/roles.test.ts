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
  // Fails when a grant leaves no entry, the poll skips it, or an endpoint answers 403 by itself.
  it('A9: a token from before a grant is stale where it lacks a role, on every node', async () => {
    const other = await api.anotherNode();
    const { email, id } = await api.register();
    const before = await api.logIn({ email });
    const demands = ['/auth/verify?role=admin', '/auth/verify?scope=x', '/api/admin/dashboard'];
    const codes = async (node: TestApi, bearer: string) =>
      Promise.all(
        [...demands, '/admin/users'].map(
          async (path) => (await node.call('GET', path, { token: bearer })).body?.code,
        ),
      );
    const lacking = Array(4).fill('insufficient_scope');
    expect(await codes(api, before.access_token)).toEqual(lacking);
    await change('PUT', id, 'admin');
    const stale = Array(4).fill('token_stale');
    expect(await codes(api, before.access_token)).toEqual(stale);
    await expect.poll(() => codes(other, before.access_token)).toEqual(stale);
    // Where nothing is demanded the token is as good as before.
    expect(await other.verify(before.access_token)).toBe(204);
    const { body } = await other.refresh(before.refresh_token);
    for (const node of [api, other]) {
      expect(await codes(node, body.access_token)).toEqual([
        undefined,
        'insufficient_scope',
        undefined,
        'insufficient_scope',
      ]);
    }
  });

  it('A9: a node that starts later knows of the grant', async () => {
    const { email, id } = await api.register();
    const before = await api.logIn({ email });
    await change('PUT', id, 'admin');
    const other = await api.anotherNode();
    const dashboard = await other.call('GET', '/api/admin/dashboard', {
      token: before.access_token,
    });
    expect([dashboard.status, dashboard.body.code]).toEqual([401, 'token_stale']);
  });

  // Fails when only the number of roles is bounded: the last login would be refused for ever.
  it('A10: an administrator with as many roles as fit still signs in and undoes it', async () => {
    const { email, id } = await api.register();
    await change('PUT', id, 'latchkey:admin');
    const longest = (index: number) => `${index}-`.padEnd(64, 'x');
    let granted = 0;
    while ((await change('PUT', id, longest(granted))).status === 204) granted += 1;
    expect(granted).toBeGreaterThan(20);
    const { status, body } = await change('PUT', id, longest(granted));
    expect([status, body.errors[0].path]).toEqual([400, 'role']);
    const { access_token } = await api.logIn({ email });
    expect(await api.verify(access_token)).toBe(204);
    const path = `/admin/users/${id}/roles/${longest(0)}`;
    expect((await api.call('DELETE', path, { token: access_token })).status).toBe(204);
    const made = await api.call('POST', '/admin/users', {
      token,
      body: { email: 'many@example.com', roles: Array.from({ length: 100 }, (_, n) => longest(n)) },
    });
    expect(made.status).toBe(400);
    expect((await change('DELETE', id, 'latchkey:admin')).status).toBe(204);
  });

  it('grants a role, which tokens carry from the next refresh on', async () => {
    const { email, id } = await api.register();
    const before = await api.logIn({ email });
    expect((await change('PUT', id, 'admin')).status).toBe(204);
    const dashboard = (bearer: string) =>
      api.call('GET', '/api/admin/dashboard', { token: bearer });
    expect((await dashboard(before.access_token)).body.code).toBe('token_stale');
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
