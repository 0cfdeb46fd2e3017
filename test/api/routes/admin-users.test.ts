import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { decidedTogether, heldUpAt } from '../../support/held-streams.ts';
import { withClient } from '../../support/postgres.ts';

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

const post = (path: string, body?: unknown, key?: string) =>
  api.call('POST', path, {
    token,
    ...(body === undefined ? {} : { body }),
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });

describe('who may administer', () => {
  it.each([
    ['GET', '/admin/users'],
    ['POST', '/admin/users'],
    ['GET', '/admin/clients'],
    ['GET', '/admin/keys'],
    ['POST', '/admin/keys/rotate'],
    ['POST', '/admin/invites'],
  ])('%s %s: nobody without the role, not even to learn about the body', async (method, path) => {
    const { email } = await api.register();
    const user = await api.logIn({ email });
    const refused = await api.call(method, path, { token: user.access_token });
    expect([refused.status, refused.body.code]).toEqual([403, 'insufficient_scope']);
    expect((await api.call(method, path)).status).toBe(401);
  });

  it('not one whose role was revoked a moment ago', async () => {
    const email = anEmail();
    const roles = ['latchkey:admin'];
    const { body } = await post('/admin/users', { email, password: testPassword, roles });
    const second = await api.logIn({ email });
    const role = `/admin/users/${body.user.id}/roles/latchkey:admin`;
    await api.call('DELETE', role, { token });
    const refused = await api.call('GET', '/admin/users', { token: second.access_token });
    expect([refused.status, refused.body.code]).toEqual([401, 'token_stale']);
  });
});

describe('GET /admin/users', () => {
  it('pages newest first, each user once, also when some are added meanwhile', async () => {
    const made = [];
    for (let n = 0; n < 5; n += 1) made.unshift((await api.register()).id);
    const seen: string[] = [];
    let path = '/admin/users?limit=2';
    for (;;) {
      const { body } = await api.call('GET', path, { token });
      seen.push(...body.users.map(({ id }: { id: string }) => id));
      if (body.next_cursor === null) break;
      path = `/admin/users?limit=2&cursor=${body.next_cursor}`;
      await api.register();
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.slice(0, 5)).toEqual(made);
    expect(seen).toContain(adminId);
  });

  // Fails when a page that holds fewer users than it may is taken for the last one.
  it('goes on behind a user whose row is not to be trusted, and shows all others', async () => {
    const made = [];
    for (let n = 0; n < 5; n += 1) made.unshift((await api.register()).id);
    const forged = made[1]!;
    await withClient(api.database.ownerUrl, (client) =>
      client.query(`update latchkey.users set roles = array['x'] where user_id = $1`, [forged]),
    );
    for (const limit of [1, 2, 3, 100]) {
      const seen: string[] = [];
      for (let cursor = ''; ; ) {
        const { body } = await api.call('GET', `/admin/users?limit=${limit}${cursor}`, { token });
        seen.push(...body.users.map(({ id }: { id: string }) => id));
        if (body.next_cursor === null) break;
        cursor = `&cursor=${body.next_cursor}`;
      }
      expect(seen.slice(0, 4)).toEqual(made.filter((id) => id !== forged));
      expect(seen).toContain(adminId);
    }
    await withClient(api.database.ownerUrl, (client) =>
      client.query(`update latchkey.users set roles = '{}' where user_id = $1`, [forged]),
    );
  });

  it('finds the one with an address, however it is spelled', async () => {
    const { email, id } = await api.register();
    const found = await api.call(
      'GET',
      `/admin/users?email=${encodeURIComponent(email.toUpperCase())}`,
      { token },
    );
    expect(found.body).toMatchObject({ users: [{ id, email }], next_cursor: null });
    const missing = await api.call('GET', '/admin/users?email=nobody@example.com', { token });
    expect(missing.body.users).toEqual([]);
  });

  it.each(['limit=0', 'limit=101', 'limit=x', 'cursor=bm9uZQ'])('refuses %s', async (query) => {
    expect((await api.call('GET', `/admin/users?${query}`, { token })).status).toBe(400);
  });
});

describe('POST /admin/users', () => {
  it('makes a user with roles who can log in', async () => {
    const email = anEmail();
    const answer = await post('/admin/users', { email, password: testPassword, roles: ['editor'] });
    expect(answer.status).toBe(201);
    expect(answer.body.user).toMatchObject({ email, roles: ['editor'] });
    expect((await api.logIn({ email })).user.roles).toEqual(['editor']);
  });

  it('makes one without a password, whom no password lets in', async () => {
    const email = anEmail();
    expect((await post('/admin/users', { email })).status).toBe(201);
    const body = { email, password: testPassword };
    expect((await api.call('POST', '/auth/login', { body })).status).toBe(401);
  });

  it('refuses a known address and a reserved role', async () => {
    const { email } = await api.register();
    expect((await post('/admin/users', { email })).body.code).toBe('conflict');
    const refused = await post('/admin/users', { email: anEmail(), roles: ['latchkey:god'] });
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request']);
  });

  it('answers a retry under the same Idempotency-Key with the same user and one event', async () => {
    const body = { email: anEmail(), roles: ['editor'] };
    const first = await post('/admin/users', body, 'make-a-user-1');
    const again = await post('/admin/users', body, 'make-a-user-1');
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(await api.eventsOf(first.body.user.id)).toHaveLength(1);
    const other = await post('/admin/users', { email: anEmail() }, 'make-a-user-1');
    expect([other.status, other.body.code]).toEqual([409, 'conflict']);
  });
});

describe('POST /admin/users/{id}/disable and enable', () => {
  it('ends every session at once and lets nobody log in until enabled', async () => {
    const { email, id } = await api.register();
    const web = await api.logIn({ email, device: 'web' });
    const phone = await api.logIn({ email, device: 'mobile' });
    expect((await post(`/admin/users/${id}/disable`)).status).toBe(204);
    for (const session of [web, phone]) {
      expect(await api.verify(session.access_token)).toBe(401);
      expect((await api.refresh(session.refresh_token)).body.code).toBe('session_ended');
      const last = (await api.eventsOf(session.session.id)).at(-1)!;
      expect(last.data.reason).toBe('user_disabled');
    }
    const body = { email, password: testPassword };
    expect((await api.call('POST', '/auth/login', { body })).body.code).toBe('invalid_credentials');
    expect((await post(`/admin/users/${id}/enable`)).status).toBe(204);
    expect((await api.logIn({ email })).user.disabled).toBe(false);
    expect(await api.verify(web.access_token)).toBe(401);
  });

  // Fails when disabling does not guard the user: it has read the sessions before the login.
  it('ends a session that began between its read and its append, too', async () => {
    const { email, id } = await api.register();
    const phone = await api.logIn({ email, device: 'mobile' });
    // One node does one thing at a time for a user.
    const other = await api.anotherNode();
    const { status } = await heldUpAt(api.database, phone.session.id, {
      work: () => post(`/admin/users/${id}/disable`),
      meanwhile: () => other.logIn({ email, device: 'web' }),
    });
    expect(status).toBe(204);
    const sessions = await withClient(api.database.ownerUrl, (owner) =>
      owner.query('select device_type, end_reason from latchkey.sessions where user_id = $1', [id]),
    );
    expect(sessions.rows).toHaveLength(2);
    expect(sessions.rows).toContainEqual({ device_type: 'web', end_reason: 'user_disabled' });
  });

  it('is idempotent and 404 for nobody', async () => {
    const { id } = await api.register();
    await post(`/admin/users/${id}/disable`);
    expect((await post(`/admin/users/${id}/disable`)).status).toBe(204);
    expect(await api.eventsOf(id)).toHaveLength(2);
    const nobody = '0199f5a0-0000-7000-8000-00000000ffff';
    expect((await post(`/admin/users/${nobody}/disable`)).status).toBe(404);
    expect((await post('/admin/users/not-an-id/disable')).status).toBe(404);
  });

  it('a late retry under its Idempotency-Key does not disable whom somebody enabled since', async () => {
    const { id } = await api.register();
    await post(`/admin/users/${id}/disable`, undefined, 'disable-once');
    await post(`/admin/users/${id}/enable`);
    expect((await post(`/admin/users/${id}/disable`, undefined, 'disable-once')).status).toBe(204);
    const types = (await api.eventsOf(id)).map(({ type }) => type);
    expect(types).toEqual(['UserRegistered', 'UserDisabled', 'UserEnabled']);
  });

  it('leaves no session of a login that was decided at the same moment', async () => {
    const other = await api.anotherNode();
    for (const device of ['web', 'mobile', 'tablet', 'desktop']) {
      const { email, id } = await api.register();
      await decidedTogether(api.database, [id], () => [
        other.call('POST', '/auth/login', {
          body: { email, password: testPassword, device: { type: device } },
        }),
        post(`/admin/users/${id}/disable`),
      ]);
      const { body } = await api.call('GET', `/admin/users/${id}/sessions`, { token });
      expect(body.sessions).toEqual([]);
    }
  });

  it('keeps the last administrator', async () => {
    const refused = await post(`/admin/users/${adminId}/disable`);
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
  });

  it('of two administrators who disable each other at once, one stays', async () => {
    const others = await Promise.all(
      ['a', 'b'].map(async () => {
        const email = anEmail();
        const roles = ['latchkey:admin'];
        const { body } = await post('/admin/users', { email, password: testPassword, roles });
        return { id: body.user.id as string, login: await api.logIn({ email }) };
      }),
    );
    const role = `/admin/users/${adminId}/roles/latchkey:admin`;
    await api.call('DELETE', role, { token });
    const [a, b] = others as [(typeof others)[0], (typeof others)[0]];
    const other = await api.anotherNode();
    const disable = (node: TestApi, by: typeof a, whom: typeof a) =>
      node.call('POST', `/admin/users/${whom.id}/disable`, { token: by.login.access_token });
    const answers = await decidedTogether(api.database, [a.id, b.id], () => [
      disable(api, a, b),
      disable(other, b, a),
    ]);
    const done = answers.filter(({ status }) => status === 204);
    expect(done).toHaveLength(1);
    const survivor = answers[0]!.status === 204 ? a : b;
    await api.call('PUT', role, { token: survivor.login.access_token });
    const admin = await api.admin();
    token = admin.access_token;
  });
});

describe('sessions of others', () => {
  it('are listed and ended by an administrator', async () => {
    const { email, id } = await api.register();
    const { access_token, session } = await api.logIn({ email });
    const { body } = await api.call('GET', `/admin/users/${id}/sessions`, { token });
    expect(body.sessions).toHaveLength(1);
    expect(body.sessions[0]).toMatchObject({ id: session.id, current: false });
    const ended = await api.call('DELETE', `/admin/sessions/${session.id}`, { token });
    expect(ended.status).toBe(204);
    expect(await api.verify(access_token)).toBe(401);
    expect((await api.eventsOf(session.id)).at(-1)!.data.reason).toBe('admin');
    const after = await api.call('GET', `/admin/users/${id}/sessions`, { token });
    expect(after.body.sessions).toEqual([]);
  });

  it('are 404 when there is no such session or user', async () => {
    const nobody = '0199f5a0-0000-7000-8000-00000000ffff';
    const session = await api.call('DELETE', `/admin/sessions/${nobody}`, { token });
    const user = await api.call('GET', `/admin/users/${nobody}/sessions`, { token });
    expect([session.status, user.status]).toEqual([404, 404]);
  });
});
