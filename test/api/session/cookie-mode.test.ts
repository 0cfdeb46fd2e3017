import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, startTestApi, type TestApi, testPassword } from '../../support/api.ts';

const issuer = 'http://latchkey.test';
const listed = 'https://app.example.com';
const elsewhere = 'https://evil.example.com';
const name = '__Host-latchkey_refresh';

let api: TestApi;
let email: string;
beforeAll(async () => {
  api = await startTestApi({ ALLOWED_ORIGINS: listed, DEVICE_POLICY_WEB: 'unlimited' });
  email = (await api.register()).email;
});
afterAll(() => api.stop());

type Headers = Record<string, string>;
const logIn = (headers: Headers, fields: object = { transport: 'cookie' }) =>
  api.call('POST', '/auth/login', { body: { email, password: testPassword, ...fields }, headers });
/** `NAME=value` as a browser would send it back. */
const cookieOf = ({ headers }: Answer) => headers.getSetCookie()[0]!.split(';', 1)[0]!;
const newSession = async () => {
  const answer = await logIn({ origin: issuer });
  expect(answer.status).toBe(200);
  return { cookie: cookieOf(answer), access: answer.body.access_token as string };
};
const send = (
  path: string,
  cookie: string,
  headers: Headers = {},
  body?: unknown,
  token?: string,
) =>
  api.call('POST', path, {
    ...(body === undefined ? {} : { body }),
    ...(token === undefined ? {} : { token }),
    headers: { cookie, 'content-type': 'application/json', ...headers },
  });
const tokenOf = (cookie: string) => cookie.slice(name.length + 1);

describe('a login that asks for the cookie', () => {
  // Fails when an attribute goes missing: `__Host-` without Secure or Path=/ is dropped by browsers.
  it('sets it with every attribute and leaves the refresh token out of the body', async () => {
    const answer = await logIn({ origin: issuer });
    const { refresh_expires_in: seconds } = answer.body;
    expect(answer.headers.getSetCookie().slice(0, 1)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^${name}=lkr_[0-9a-f]{3}_[\\w-]{116}; Max-Age=${seconds}; Path=/; HttpOnly; Secure; SameSite=Strict$`,
        ),
      ),
    ]);
    expect(answer.body).not.toHaveProperty('refresh_token');
    expect(seconds).toBeGreaterThan(600_000);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('and only that: the body is the default', async () => {
    for (const fields of [{ transport: 'body' }, {}]) {
      const answer = await logIn({}, fields);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(answer.body.refresh_token).toMatch(/^lkr_/);
    }
  });
});

const matrix: [Headers, boolean][] = [
  [{ 'sec-fetch-site': 'same-origin' }, true],
  [{ 'sec-fetch-site': 'same-origin', origin: issuer }, true],
  [{ 'sec-fetch-site': 'same-site', origin: listed }, true],
  [{ 'sec-fetch-site': 'same-site', origin: elsewhere }, false],
  [{ 'sec-fetch-site': 'same-site' }, false],
  [{ 'sec-fetch-site': 'cross-site', origin: listed }, false],
  [{ 'sec-fetch-site': 'cross-site' }, false],
  [{ 'sec-fetch-site': 'none' }, false],
  [{ 'sec-fetch-site': '', origin: issuer }, false],
  [{ origin: issuer }, true],
  [{ origin: listed }, true],
  [{ origin: elsewhere }, false],
  [{ origin: 'null' }, false],
  [{ origin: `${listed}.evil.example` }, false],
  [{ origin: `${listed}:8443` }, false],
  [{ origin: listed.toUpperCase() }, false],
  [{}, false],
];

describe('the origin rule', () => {
  // Fails when any line of the rule is dropped.
  it.each(matrix)('with %j lets through: %s', async (headers, allowed) => {
    const refused = { status: 403, body: { code: 'origin_refused' } };
    expect(await logIn(headers)).toMatchObject(allowed ? { status: 200 } : refused);
    const { cookie } = await newSession();
    const refreshed = await send('/auth/refresh', cookie, headers);
    expect(refreshed).toMatchObject(allowed ? { status: 200 } : refused);
    const latest = allowed ? cookieOf(refreshed) : cookie;
    const loggedOut = await send('/auth/logout', latest, headers);
    expect(loggedOut).toMatchObject(allowed ? { status: 204 } : refused);
    const lives = (await send('/auth/refresh', latest, { origin: issuer })).status === 200;
    expect(lives).toBe(!allowed);
  });

  // Fails when only the wish for a cookie is guarded: the browser of a victim could be logged in as somebody else.
  it('also holds for a login that carries the cookie and asks for the body', async () => {
    const { cookie } = await newSession();
    const answer = await logIn({ cookie, origin: elsewhere }, {});
    expect(answer).toMatchObject({ status: 403, body: { code: 'origin_refused' } });
    expect((await logIn({ cookie, origin: issuer }, {})).status).toBe(200);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', ''])(
    'comes after the type: %s is a 415',
    async (type) => {
      const { cookie } = await newSession();
      for (const path of ['/auth/refresh', '/auth/logout', '/api/auth/refresh']) {
        const answer = await send(path, cookie, { 'content-type': type, origin: issuer });
        expect(answer).toMatchObject({ status: 415, body: { code: 'invalid_request' } });
      }
      expect((await send('/auth/refresh', cookie, { origin: issuer })).status).toBe(200);
    },
  );
});

describe('the refresh cookie', () => {
  const good = { origin: issuer };

  it('is rotated by a refresh, in the cookie alone', async () => {
    const { cookie } = await newSession();
    const answer = await send('/auth/refresh', cookie, good);
    expect(cookieOf(answer)).not.toBe(cookie);
    expect(cookieOf(answer)).toMatch(/^__Host-latchkey_refresh=lkr_/);
    expect(answer.body).not.toHaveProperty('refresh_token');
    const repeated = await send('/auth/refresh', cookie, good);
    expect(cookieOf(repeated)).toBe(cookieOf(answer));
  });

  it('is removed by the logout that it asked for', async () => {
    const { cookie } = await newSession();
    const answer = await send('/auth/logout', cookie, good, {});
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie()).toEqual([
      `${name}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict`,
    ]);
    expect((await send('/auth/logout', cookie, good)).status).toBe(204);
  });

  it('and another token in the body are a 400; the same token is not', async () => {
    const [one, two] = [await newSession(), await newSession()];
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const differs = await send(path, one.cookie, good, { refresh_token: tokenOf(two.cookie) });
      expect(differs, path).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
      const agrees = await send(path, one.cookie, good, { refresh_token: tokenOf(one.cookie) });
      expect(agrees.status, path).toBeLessThan(300);
    }
    expect((await send('/auth/refresh', two.cookie, good)).status).toBe(200);
  });

  it('sent twice is a 400, because one of the two was planted', async () => {
    const [one, two] = [await newSession(), await newSession()];
    const answer = await send('/auth/refresh', `${one.cookie}; ${two.cookie}`, good);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  // Fails when a bearer does not switch other cookies off: logout would end what the page does not
  // know of.
  it('of another session is ignored beside a good bearer, and so is the origin', async () => {
    const [one, two] = [await newSession(), await newSession()];
    const hostile = { origin: elsewhere, 'sec-fetch-site': 'cross-site' };
    const listing = await api.call('GET', '/auth/sessions', {
      token: one.access,
      headers: { cookie: two.cookie, ...hostile },
    });
    expect(listing.status).toBe(200);
    const refreshed = await send('/auth/refresh', two.cookie, hostile, undefined, one.access);
    expect(refreshed).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    const loggedOut = await send('/auth/logout', two.cookie, hostile, {}, one.access);
    expect(loggedOut.status).toBe(204);
    expect(loggedOut.headers.getSetCookie()).toEqual([]);
    expect(await api.verify(one.access)).toBe(401);
    expect(await api.verify(two.access)).toBe(204);
  });

  it('of another session is not what a bearer with a body token may name either', async () => {
    const [one, two] = [await newSession(), await newSession()];
    const body = { refresh_token: tokenOf(two.cookie) };
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await api.call('POST', path, { token: one.access, body });
      expect(answer, path).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
  });
});

describe('the refresh cookie beside a bearer', () => {
  const good = { origin: issuer };
  const hostile = { origin: elsewhere };
  const bare = async (path: string, cookie: string, authorization: string, origin = issuer) =>
    send(path, cookie, { authorization, origin });
  /** An access token that has expired, with the cookie of its session. */
  const oldSession = async () => {
    const now = api.node.now;
    Object.assign(api.node, { now: () => now() - 3_600_000 });
    try {
      const { cookie, access } = await newSession();
      return { cookie, access };
    } finally {
      Object.assign(api.node, { now });
    }
  };

  const ofAProxy = `Basic ${btoa('staging:a password')}`;
  const bearers = ['Bearer undefined', 'Bearer null', 'Bearer', 'Bearer a b', 'Bearer a.b.c'];
  // Fails when any bearer at all switches the cookie off, or when Basic is always a client's.
  it.each([...bearers, ofAProxy, 'Basic', 'Basic x', 'Negotiate x'])(
    'E10: counts when the header is not ours: %s',
    async (authorization) => {
      const { cookie } = await newSession();
      const refreshed = await bare('/auth/refresh', cookie, authorization);
      expect(refreshed.status).toBe(200);
      const latest = cookieOf(refreshed);
      expect(await bare('/auth/logout', latest, authorization, elsewhere)).toMatchObject({
        status: 403,
        body: { code: 'origin_refused' },
      });
      const loggedOut = await bare('/auth/logout', latest, authorization);
      expect(loggedOut.status).toBe(204);
      expect(loggedOut.headers.getSetCookie()).toEqual([expect.stringContaining('Max-Age=0')]);
      expect((await send('/auth/refresh', latest, good)).status).toBe(401);
    },
  );

  it('E10: counts beside an expired access token of its own session', async () => {
    const { cookie, access } = await oldSession();
    expect(await api.verify(access)).toBe(401);
    const refreshed = await bare('/auth/refresh', cookie, `Bearer ${access}`);
    expect(refreshed.status).toBe(200);
    const loggedOut = await bare('/auth/logout', cookieOf(refreshed), `Bearer ${access}`);
    expect(loggedOut.status).toBe(204);
    expect(loggedOut.headers.getSetCookie()).toEqual([expect.stringContaining('Max-Age=0')]);
    expect((await send('/auth/refresh', cookieOf(refreshed), good)).status).toBe(401);
  });

  it('E10: of the same session is refreshed under the origin rule only', async () => {
    const { cookie, access } = await newSession();
    const refused = await send('/auth/refresh', cookie, hostile, undefined, access);
    expect(refused).toMatchObject({ status: 403, body: { code: 'origin_refused' } });
    expect((await send('/auth/refresh', cookie, good, undefined, access)).status).toBe(200);
  });

  it('E10: is left alone by a logout that the bearer alone decides', async () => {
    const { cookie, access } = await newSession();
    const loggedOut = await send('/auth/logout', cookie, hostile, undefined, access);
    expect(loggedOut.status).toBe(204);
    expect(loggedOut.headers.getSetCookie()).toEqual([]);
    expect((await send('/auth/refresh', cookie, good)).status).toBe(401);
  });

  // Fails when a logout takes the old token's session, which has ended, and says that all is well.
  it('E10: of another session and an access token that is not good are a 400', async () => {
    const [one, two] = [await oldSession(), await newSession()];
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await bare(path, two.cookie, `Bearer ${one.access}`);
      expect(answer, path).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
    expect((await send('/auth/refresh', two.cookie, good)).status).toBe(200);
  });
});

describe('a refresh cookie that is not ours any more', () => {
  const stale = `${name}=lkr_of-another-time`;

  // Fails when the logout is refused: the browser would send the cookie for a week more.
  it('E6: is removed by a logout', async () => {
    for (const authorization of ['Basic x', 'Bearer undefined', 'Bearer a.b.c']) {
      const answer = await send('/auth/logout', stale, { origin: issuer, authorization });
      expect(answer.status).toBe(204);
      expect(answer.headers.getSetCookie()).toEqual([expect.stringContaining('Max-Age=0')]);
    }
    const { access } = await newSession();
    const answer = await send('/auth/logout', stale, { origin: issuer }, undefined, access);
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie()).toEqual([expect.stringContaining('Max-Age=0')]);
    expect(await api.verify(access)).toBe(401);
  });

  it('E6: is still under the origin rule, and says nothing at a refresh', async () => {
    const refused = await send('/auth/logout', stale, { origin: elsewhere });
    expect(refused).toMatchObject({ status: 403, body: { code: 'origin_refused' } });
    const refresh = await send('/auth/refresh', stale, { origin: issuer });
    expect(refresh).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
  });
});
