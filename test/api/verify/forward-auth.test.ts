import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { type ApiProcess, post, startApiProcess, verifyAt } from '../../support/api-process.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../../support/postgres.ts';

const shop = 'https://shop.example';
const issuer = 'http://latchkey.test';
let api: TestApi;
let admin: string;
beforeAll(async () => {
  api = await startTestApi({ DEFAULT_AUDIENCE: shop });
  admin = (await api.admin()).access_token;
});
afterAll(() => api.stop());

async function newSession(roles: string[] = []) {
  const { email, id } = await api.register();
  for (const role of roles) {
    await api.call('PUT', `/admin/users/${id}/roles/${role}`, { token: admin });
  }
  const fields = { audience: [shop, issuer] };
  const { access_token, refresh_token, session } = await api.logIn({ email, fields });
  return { userId: id, email, token: access_token, refresh_token, sessionId: session.id };
}
const verify = (token: string | null, path = '/auth/verify', method = 'GET') =>
  api.call(method, path, token === null ? {} : { token });

describe('/auth/verify', () => {
  it('answers a good token with 204 and who it is, and nothing that may be stored', async () => {
    const { token, userId, sessionId } = await newSession(['editor', 'author']);
    const { status, headers, body } = await verify(token);
    expect([status, body]).toEqual([204, undefined]);
    expect(headers.get('x-auth-subject')).toBe(userId);
    expect(headers.get('x-auth-session')).toBe(sessionId);
    expect(headers.get('x-auth-roles')).toBe('author,editor');
    expect(headers.get('x-auth-device-type')).toBe('web');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND'])(
    'takes %s, here, below and under /api',
    async (method) => {
      const { token } = await newSession();
      for (const path of [
        '/auth/verify',
        '/api/auth/verify',
        '/auth/verify/a/b?',
        '/auth/verify/',
      ]) {
        const authorization = `Bearer ${token}`;
        const good = await fetch(api.url + path, { method, headers: { authorization } });
        expect(good.status, path).toBe(204);
        expect((await fetch(api.url + path, { method })).status, path).toBe(401);
      }
    },
  );

  it('ignores the body that a gateway forwards', async () => {
    const { token } = await newSession();
    const answer = await fetch(`${api.url}/auth/verify`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{'.repeat(100_000),
    });
    expect(answer.status).toBe(204);
  });

  // Fails when a demand is not looked at, or when an empty one counts as none.
  it.each([
    ['?role=editor', 204],
    ['?role=admin', 403],
    ['?role=edit', 403],
    ['?role=editor&aud=https://shop.example', 204],
    ['?aud=http://latchkey.test', 204],
    ['?aud=https://other.example', 401],
    ['?scope=read', 403],
    ['?unknown=1', 400],
    ['?role=editor&role=admin', 400],
    ['?role=%ff', 400],
    ['?role=', 400],
    ['?scope', 400],
    ['?x=1&aud=&role=editor', 400],
  ])('meets the demand %s with %i', async (query, status) => {
    const { token } = await newSession(['editor']);
    const answer = await verify(token, `/auth/verify${query}`);
    expect(answer.status).toBe(status);
    if (status === 403) {
      expect(answer.body.code).toBe('insufficient_scope');
      expect(answer.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
    }
  });

  it('says `invalid_token` to a token and only `Bearer` to none', async () => {
    const sent = await verify('a.b.c');
    expect(sent.headers.get('www-authenticate')).toBe(
      'Bearer realm="latchkey", error="invalid_token"',
    );
    expect(sent.body.code).toBe('invalid_token');
    const none = await verify(null);
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="latchkey"');
    for (const authorization of ['Bearer', 'Bearer  ', 'Bearer a b', 'Basic eDp5', 'bearer:x']) {
      const answer = await api.call('GET', '/auth/verify', { headers: { authorization } });
      expect(answer.status, authorization).toBe(401);
    }
  });
});

describe('a token of a user that changed is `token_stale`, and a refresh mends it', () => {
  // Fails when the change does not raise the user's epoch, or when the epoch is not compared.
  it('after a role was taken away', async () => {
    const { userId, token, refresh_token } = await newSession(['editor']);
    await api.call('DELETE', `/admin/users/${userId}/roles/editor`, { token: admin });
    expect((await verify(token)).body.code).toBe('token_stale');
    const { body } = await api.refresh(refresh_token);
    expect((await verify(body.access_token)).status).toBe(204);
    expect((await verify(body.access_token, '/auth/verify?role=editor')).status).toBe(403);
  });

  it('after the password was changed; every other session ends', async () => {
    const { email, token, refresh_token } = await newSession();
    const mobile = await api.logIn({ email, device: 'mobile' });
    const changed = await api.call('POST', '/auth/password', {
      token,
      body: { current_password: testPassword, new_password: 'another long sentence' },
    });
    expect(changed.status).toBe(204);
    expect((await verify(token)).body.code).toBe('token_stale');
    const { body } = await api.refresh(refresh_token);
    expect((await verify(body.access_token)).status).toBe(204);
    expect((await verify(mobile.access_token)).status).toBe(401);
    expect((await api.refresh(mobile.refresh_token)).body.code).toBe('session_ended');
  });

  it('but not of another user', async () => {
    const [one, two] = [await newSession(), await newSession()];
    await api.call('POST', '/auth/logout-all', { token: one.token });
    expect((await verify(one.token)).status).toBe(401);
    expect((await verify(two.token)).status).toBe(204);
  });
});

describe('many verifications', () => {
  let database: TestDatabase;
  let node: ApiProcess;
  beforeAll(async () => {
    database = await createTestDatabase();
    // A poll that rests for the length of the test: what reaches Postgres is then ours.
    node = await startApiProcess(database.appUrl, {
      REVOCATION_POLL_MS: '7000',
      LOG_LEVEL: 'info',
    });
  });
  afterAll(async () => {
    await node.stop();
    await database.drop();
  });

  // Fails when the fast lane reads anything from Postgres, or logs what it let through.
  it('that succeed cost no statement and no log line; those that fail are logged, but not each', async () => {
    const credentials = { email: 'a@example.com', password: testPassword };
    await post(`${node.url}/auth/register`, credentials);
    const { body } = await post(`${node.url}/auth/login`, credentials);
    const lastStatements = () =>
      withClient(database.ownerUrl, async (owner) => {
        const { rows } = await owner.query(
          `select pid, query_start from pg_stat_activity
          where datname = current_database() and application_name like 'latchkey serve%'
            and application_name not like '%poll%' order by pid`,
        );
        return rows;
      });
    const before = await lastStatements();
    const linesBefore = node.lines.length;
    for (let count = 0; count < 100; count += 1) await verifyAt(node.url, body.access_token);
    const after = await lastStatements();
    expect(before.length).toBeGreaterThan(1);
    expect(after).toEqual(before);
    expect(node.lines.length).toBe(linesBefore);

    for (let count = 0; count < 100; count += 1) await verifyAt(node.url, 'a.b.c');
    const refusals = node.lines.length - linesBefore;
    expect(refusals).toBeGreaterThan(0);
    expect(refusals).toBeLessThan(60);
  });
});
