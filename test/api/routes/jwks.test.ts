import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ JWKS_MAX_AGE_SECONDS: '120' });
});
afterAll(() => api.stop());

describe.each(['/.well-known/jwks.json', '/auth/jwks', '/api/auth/jwks'])('GET %s', (path) => {
  it('verifies our tokens in a library that knows nothing of us', async () => {
    const { email } = await api.register();
    const { access_token } = await api.logIn({ email });
    const { body } = await api.call('GET', path);
    const { issuer } = api.node.config.tokens;
    const verified = await jwtVerify(access_token, createLocalJWKSet(body), {
      issuer,
      audience: issuer,
      typ: 'at+jwt',
    });
    expect(verified.payload.iss).toBe(issuer);
  });

  it('may be kept by caches, and read by any page', async () => {
    const { headers } = await api.call('GET', path, { headers: { origin: 'https://any.example' } });
    expect(headers.get('cache-control')).toBe('public, max-age=120');
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('answers 304 to whoever has it, and the whole to others', async () => {
    const etag = (await api.call('GET', path)).headers.get('etag')!;
    const ask = (tag: string) => api.call('GET', path, { headers: { 'if-none-match': tag } });
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const { status, body, headers } = await ask(tag);
      expect([status, body, headers.get('etag')]).toEqual([304, undefined, etag]);
    }
    expect((await ask('"other"')).status).toBe(200);
  });

  it('D8: is answered by the fast lane, also to HEAD and whatever the query says', async () => {
    const whole = await fetch(api.url + path);
    const bytes = Buffer.from(await whole.arrayBuffer());
    // What Express adds to each of its answers.
    expect(whole.headers.has('content-security-policy')).toBe(false);
    expect(whole.headers.get('x-content-type-options')).toBe('nosniff');
    const facts = (headers: Headers) =>
      ['etag', 'cache-control', 'content-type', 'content-length'].map((name) => headers.get(name));
    expect(facts(whole.headers)).toContain(String(bytes.length));
    const head = await fetch(`${api.url + path}?kid=forged`, { method: 'HEAD' });
    expect([head.status, ...facts(head.headers)]).toEqual([200, ...facts(whole.headers)]);
    expect((await head.arrayBuffer()).byteLength).toBe(0);
    const etag = whole.headers.get('etag')!;
    const headers = { 'if-none-match': etag };
    const unchanged = await fetch(api.url + path, { method: 'HEAD', headers });
    expect([unchanged.status, unchanged.headers.get('etag')]).toEqual([304, etag]);
    expect((await fetch(api.url + path, { method: 'POST' })).status).toBe(405);
  });

  it('has no private member', async () => {
    const { body } = await api.call('GET', path);
    for (const key of body.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    }
  });
});

// Fails when the lane keeps its bytes longer than the keyset.
it('D8: the fast lane shows a changed keyset at once', async () => {
  const admin = (await api.admin()).access_token;
  const before = await fetch(`${api.url}/auth/jwks`);
  const kids = async (answer: Response) =>
    ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  expect(
    (await api.call('POST', '/admin/keys/rotate', { token: admin, body: { now: true } })).status,
  ).toBe(200);
  const after = await fetch(`${api.url}/auth/jwks`);
  expect(after.headers.get('etag')).not.toBe(before.headers.get('etag'));
  expect(await kids(after)).not.toEqual(await kids(before));
  const headers = { 'if-none-match': before.headers.get('etag')! };
  expect((await fetch(`${api.url}/auth/jwks`, { headers })).status).toBe(200);
});
