import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { behindFastLane } from '../../../src/api/http/fast-lane.ts';
import { InFlight } from '../../../src/api/http/in-flight.ts';
import { startHttpServer } from '../../../src/api/http/server.ts';
import { verifyRoutes } from '../../../src/api/routes/verify.ts';
import type { Logger } from '../../../src/platform/logging/logging.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';

const shop = 'https://shop.example';
let api: TestApi;
let plain: string;
let editor: string;
beforeAll(async () => {
  api = await startTestApi({ DEFAULT_AUDIENCE: shop });
  const admin = (await api.admin()).access_token;
  plain = (await newUser()).token;
  const promoted = await newUser();
  await api.call('PUT', `/admin/users/${promoted.id}/roles/editor`, { token: admin });
  editor = (await api.logIn({ email: promoted.email })).access_token;
});
afterAll(() => api.stop());

async function newUser() {
  const { email, id } = await api.register();
  return { email, id, token: (await api.logIn({ email })).access_token as string };
}

const demanding = (demand: string) => ({ 'x-auth-demand': demand });
const ask = (path: string, token = editor, headers: Record<string, string> = {}) =>
  api.call('GET', path, { token, headers });

describe('a demand that a gateway misspells', () => {
  // Each of these was a door that stood open, or would be one.
  it.each([
    'roles=admin',
    'Role=admin',
    'audience=x',
    'role[]=admin',
    'role%5B%5D=admin',
    'scope=+',
    'scope=%20',
    'role=%C2%A0',
    'role=%09',
    'role=',
    '%72ole=',
    'role',
    '=admin',
    'unknown=1',
    'status=200',
    'role=editor&x=1',
    'role=editor&role=editor',
    'role=editor&%72ole=editor',
    'role=+editor',
    'aud=&role=editor',
    'role=%ff',
  ])('A5: ?%s is 400 at /auth/verify, also with the right role', async (query) => {
    for (const path of ['/auth/verify', '/api/auth/verify', '/auth/verify/below']) {
      const { status, body } = await ask(`${path}?${query}`);
      expect([status, body.code], path).toEqual([400, 'invalid_request']);
    }
  });

  it.each(['', '?', '?role=editor', '?%72ole=editor', '?role=editor&'])(
    'A5: %j is none',
    async (query) => {
      expect((await ask(`/auth/verify${query}`)).status).toBe(204);
    },
  );

  it.each([
    '',
    ';',
    'role',
    'role=',
    'role= ',
    'roles=editor',
    'Role=editor',
    'role =editor',
    'role= editor',
    'role[]=editor',
    'role=editor;',
    'role=editor; role=editor',
    'role=editor; scope=',
    'role=editor, role=editor',
    'role="editor"',
    'status=204',
    'status=',
    'status=200; status=200',
    'editor',
  ])('A5b: X-Auth-Demand: %s is 400 at /auth/forward', async (demand) => {
    const { status, body } = await ask('/auth/forward', editor, demanding(demand));
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it('A5b: two X-Auth-Demand headers are 400, however they are written', async () => {
    const headers = [
      ['authorization', `Bearer ${editor}`],
      ['x-auth-demand', 'role=editor'],
      ['X-Auth-Demand', 'role=editor'],
    ];
    const { request } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      const [host] = [new URL(api.url).host];
      request(`${api.url}/auth/forward`, { headers: ['host', host, ...headers.flat()] as never })
        .on('response', (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(400);
  });

  it('A5b: X-Auth-Demand at /auth/verify is 400: it would be read by nobody', async () => {
    expect((await ask('/auth/verify', editor, demanding('role=admin'))).status).toBe(400);
  });
});

describe('/auth/forward', () => {
  // What Envoy's path_prefix and Caddy's forward_auth append.
  it.each([
    '/app?a=1&a=2',
    '?q=caf%E9',
    '?q=100%',
    '?ids[]=1',
    '?role=x',
    '?aud=mobile',
    '?role=&scope=+',
    '/a%2fb/../c;d?x#y',
    '//evil.example/?role=admin',
    '/%00',
    '/',
    '',
  ])("A5b: looks at nothing of the client's %s", async (appended) => {
    for (const path of ['/auth/forward', '/api/auth/forward']) {
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
        const send = (token: string) => api.call(method, path + appended, { token });
        expect((await send(plain)).status, `${method} ${path}`).toBe(204);
        expect((await send('a.b.c')).status, `${method} ${path}`).toBe(401);
      }
    }
  });

  it.each([
    ['role=editor', 204],
    ['status=200', 200],
    ['status=200; role=editor', 200],
    ['status=200; role=admin', 403],
    ['role=admin', 403],
    ['role=edit', 403],
    ['scope=read', 403],
    [`role=editor; aud=${shop}`, 204],
    ['role=editor;aud=https://other.example', 401],
    ['aud=https://other.example ;  role=editor', 401],
  ])('A5b: meets X-Auth-Demand: %s with %i', async (demand, status) => {
    expect((await ask('/auth/forward/app?role=x', editor, demanding(demand))).status).toBe(status);
  });

  // Fails when one of several demanded scopes is enough, at either address. No login grants a scope
  // yet, so the node's key signs tokens that have some.
  it.each([
    ['orders.read orders.write', 204],
    ['orders.write orders.read mail', 204],
    ['orders.read', 403],
    ['mail orders.write', 403],
    ['orders.read orders.writer', 403],
  ])('two demanded scopes are met by a token with `%s`: %i', async (scope, status) => {
    const token = await signed({ ...decodeJwt(plain), scope });
    const both = 'scope=orders.read orders.write';
    const inQuery = await ask(`/auth/verify?${both.replace(' ', '+')}`, token);
    const inHeader = await ask('/auth/forward', token, demanding(both));
    expect([inQuery.status, inHeader.status]).toEqual([status, status]);
  });

  it('A5b: is nothing but itself', async () => {
    for (const path of ['/auth/forwarded', '/auth/forward-x', '/AUTH/forward', '/x/auth/forward']) {
      expect((await fetch(api.url + path)).status, path).toBe(404);
    }
  });
});

describe('the headers that a gateway copies', () => {
  it.each(['/auth/verify', '/auth/forward/app'])(
    'A6: %s leaves none of them empty',
    async (path) => {
      const { headers } = await ask(path, plain);
      expect(headers.get('x-auth-roles')).toBe('-');
      expect(headers.get('x-auth-subject')).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers.get('x-auth-session')).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers.get('x-auth-device-type')).toBe('web');
      expect((await ask(path)).headers.get('x-auth-roles')).toBe('editor');
    },
  );

  it.each([
    { roles: ['réd\u2028'] },
    { roles: ['a\r\nX-Auth-Subject: root'] },
    { roles: ['plain,admin'] },
    { roles: [' '] },
    { device_type: 'wéb' },
  ])('D6: %j, signed by the genuine key, is a whole 500 and a log line', async (changed) => {
    const errors: object[] = [];
    const node = await listen(errors);
    const token = await signed({ ...decodeJwt(plain), ...changed });
    for (const path of ['/auth/verify', '/auth/forward']) {
      const answer = await fetch(`${node.url}${path}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect([answer.status, answer.statusText]).toEqual([500, 'Internal Server Error']);
      expect(await answer.json()).toMatchObject({ status: 500, code: 'internal_error' });
      expect(answer.headers.has('x-auth-subject')).toBe(false);
    }
    expect(errors).toHaveLength(2);
    expect(errors[0]).toMatchObject({ code: 'internal_error' });
    await node.drain(1_000);
  });
});

function signed(claims: object): Promise<string> {
  const { kid, alg, privateKey } = api.node.memory.signingKey.get();
  return new SignJWT({ ...claims })
    .setProtectedHeader({ typ: 'at+jwt', alg, kid })
    .sign(privateKey);
}

/** A fast lane of its own over the memory of the API, with a log to look into. */
async function listen(errors: object[]) {
  const inFlight = new InFlight();
  const log = { error: (facts: object) => void errors.push(facts) } as Logger;
  const metrics = { observeRequest: () => {} };
  const http = await startHttpServer({
    listener: behindFastLane(() => {}, verifyRoutes(api.node), { log, inFlight, metrics }),
    inFlight,
    host: '127.0.0.1',
    port: 0,
    idleGraceMs: 0,
  });
  return { ...http, url: `http://127.0.0.1:${http.port}` };
}
