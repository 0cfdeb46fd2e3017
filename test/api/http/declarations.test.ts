import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bearer, client, none } from '../../../src/api/http/auth.ts';
import { openApiDocument } from '../../../src/api/http/openapi.ts';
import { reply } from '../../../src/api/http/reply.ts';
import { perUser, type Route, route } from '../../../src/api/http/route.ts';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';
import { startTestApp } from './test-app.ts';

const base = { summary: 'test', tags: ['test'], responses: { 200: { description: 'ok' } } };
let handled = 0;
const counts = () => {
  handled += 1;
  return reply(200, {});
};
const refuses = () => {
  throw new LatchkeyError('forbidden');
};

const routes: Route[] = [
  route({
    ...base,
    method: 'get',
    path: '/oauth2/userinfo',
    auth: bearer({ use: 'profile', scope: 'openid' }),
    handler: ({ caller }) => reply(200, { sub: caller.userId }),
  }),
  route({
    ...base,
    method: 'get',
    path: '/oauth2/authorize',
    auth: none,
    query: z.object({ client_id: z.string() }),
    failsAs: 'page',
    responses: { 200: { description: 'A page', contentType: 'text/html' } },
    handler: () => reply(200, '<p>', { 'content-type': 'text/html; charset=utf-8' }),
  }),
  route({
    ...base,
    method: 'post',
    path: '/clients/ping',
    auth: client,
    handler: (request) => reply(200, { client: request.client.clientId }),
  }),
  route({
    ...base,
    method: 'post',
    path: '/keyed',
    auth: none,
    idempotent: true,
    handler: ({ idempotencyKey }) => reply(200, { key: idempotencyKey }),
  }),
  route({
    ...base,
    method: 'post',
    path: '/unkeyed',
    auth: none,
    handler: ({ idempotencyKey }) => reply(200, { key: idempotencyKey ?? 'none' }),
  }),
  route({
    ...base,
    method: 'post',
    path: '/limited',
    auth: bearer(),
    limit: perUser('logout_all'),
    handler: counts,
  }),
  route({
    ...base,
    method: 'post',
    path: '/guarded',
    auth: bearer(),
    guard: refuses,
    floor: true,
    limit: perUser('profile'),
    handler: counts,
  }),
  route({ ...base, method: 'post', path: '/floored', auth: none, floor: true, handler: refuses }),
];

const floorMs = 300;
let app: Awaited<ReturnType<typeof startTestApp>>;
beforeAll(async () => {
  app = await startTestApp(routes, { floorMs });
});
afterAll(() => app.drain(1000));

async function send(method: string, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(app.url + path, { method, headers });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    challenge: response.headers.get('www-authenticate'),
    text,
    json: () => JSON.parse(text),
  };
}
const good = { authorization: 'Bearer good' };
const openid = { authorization: 'Bearer openid' };

// Each fails when the path decides how a body comes and a refusal is written.
describe('a GET below /oauth2/', () => {
  it('takes a bearer and no form, where it is declared so', async () => {
    const answer = await send('GET', '/oauth2/userinfo', openid);
    expect([answer.status, answer.json()]).toEqual([200, { sub: 'u1' }]);
  });

  it('refuses as problems do, with a challenge for the bearer', async () => {
    const none = await send('GET', '/oauth2/userinfo');
    expect([none.status, none.type]).toEqual([401, 'application/problem+json; charset=utf-8']);
    expect(none.challenge).toBe('Bearer realm="latchkey"');
    const without = await send('GET', '/oauth2/userinfo', good);
    expect([without.status, without.json().code]).toEqual([403, 'insufficient_scope']);
    expect(without.challenge).toContain('error="insufficient_scope"');
  });

  it('refuses with a page, where it is declared so', async () => {
    expect((await send('GET', '/oauth2/authorize?client_id=x')).text).toBe('<p>');
    for (const [method, status] of [
      ['GET', 400],
      ['DELETE', 405],
    ] as const) {
      const refusal = await send(method, '/oauth2/authorize?x=<script>');
      expect([refusal.status, refusal.type]).toEqual([status, 'text/html; charset=utf-8']);
      expect(refusal.text).toMatch(/^<!doctype html>.*<h1>.*<code>[0-9a-f-]{36}<\/code>/);
      expect(refusal.text).not.toContain('script');
    }
  });

  it('that nobody declared is an OAuth error', async () => {
    const answer = await send('GET', '/oauth2/nowhere');
    expect([answer.status, answer.json().error]).toEqual([404, 'invalid_request']);
  });

  it('is documented as it refuses', () => {
    const info = { issuer: '', version: '', fieldDescriptions: {} };
    const { paths } = openApiDocument(routes, info) as {
      paths: Record<string, { get: { responses: Record<string, { content: object }> } }>;
    };
    const typesOf = (path: string, status: string) =>
      Object.keys(paths[path]!.get.responses[status]!.content);
    expect(typesOf('/oauth2/authorize', '400')).toEqual(['text/html']);
    expect(typesOf('/oauth2/userinfo', '403')).toEqual(['application/problem+json']);
  });
});

describe('client authentication', () => {
  it('works by Basic where no body is accepted, and refuses as the route does', async () => {
    const basic = (pair: string) => ({ authorization: `Basic ${btoa(pair)}` });
    expect((await send('POST', '/clients/ping', basic('a:right'))).json()).toEqual({ client: 'a' });
    const refused = await send('POST', '/clients/ping', basic('a:wrong'));
    expect([refused.status, refused.json().code]).toEqual([401, 'invalid_client']);
  });
});

describe('an Idempotency-Key', () => {
  const key = (value: string) => ({ 'idempotency-key': value });

  it('is handed to the handler of a route that declares it', async () => {
    expect((await send('POST', '/keyed', key('k1'))).json()).toEqual({ key: 'k1' });
    expect((await send('POST', '/keyed')).json()).toEqual({ key: null });
    expect((await send('POST', '/keyed', key('two words'))).status).toBe(400);
  });

  it('is not looked at elsewhere', async () => {
    for (const value of ['k1', 'two words']) {
      expect((await send('POST', '/unkeyed', key(value))).json()).toEqual({ key: 'none' });
    }
  });
});

describe('a limit', () => {
  // Fails when it is taken after the handler, or not by whom it says.
  it('is taken before the handler runs, from the budget of the caller', async () => {
    handled = 0;
    const statuses: number[] = [];
    for (let n = 0; n < 32; n += 1) statuses.push((await send('POST', '/limited', good)).status);
    expect(statuses).toEqual([...Array(30).fill(200), 429, 429]);
    expect(handled).toBe(30);
    const asAdmin = { authorization: 'Bearer admin' };
    expect((await send('POST', '/limited', asAdmin)).status).toBe(200);
  });
});

describe('a guard and a floor', () => {
  const elapsed = async (path: string) => {
    const startedAt = performance.now();
    expect((await send('POST', path, good)).status).toBe(403);
    return performance.now() - startedAt;
  };

  it('a refusal of the handler waits for the floor', async () => {
    expect(await elapsed('/floored')).toBeGreaterThanOrEqual(floorMs - 5);
  });

  // Fails when the limit is taken first, of which there are 20, or the floor put around the guard.
  it('a refusal of the guard pays nothing and waits for nothing', async () => {
    handled = 0;
    const times: number[] = [];
    for (let n = 0; n < 21; n += 1) times.push(await elapsed('/guarded'));
    expect(Math.min(...times)).toBeLessThan(floorMs);
    expect(handled).toBe(0);
  });
});
