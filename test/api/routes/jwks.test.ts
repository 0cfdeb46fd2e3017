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
    const { issuer } = api.services.config;
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

  it('has no private member', async () => {
    const { body } = await api.call('GET', path);
    for (const key of body.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    }
  });
});
