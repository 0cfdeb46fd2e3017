import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { BoundBrowser } from '../../support/bound-browser.ts';
import { newDeviceKey } from '../../support/device-key.ts';

const issuer = 'https://latchkey.test';
const listed = 'https://app.latchkey.test';

let api: TestApi;
let email: string;
let now: number;
let browser: BoundBrowser;
beforeAll(async () => {
  api = await startTestApi({
    ISSUER: issuer,
    ALLOWED_ORIGINS: `${issuer},${listed}`,
    DEVICE_POLICY_WEB: 'unlimited',
  });
  email = (await api.register()).email;
  Object.assign(api.node, { now: () => now });
});
afterAll(() => api.stop());
beforeEach(() => {
  now = Date.now();
  browser = new BoundBrowser(api);
});

const typesOf = async ({ sessionId }: BoundBrowser) =>
  (await api.eventsOf(sessionId)).map(({ type }) => type);

describe('a login', () => {
  it('in cookie mode offers to bind the session, relative to its own path', async () => {
    const answer = await browser.logIn(email);
    expect(answer.headers.get('secure-session-registration')).toMatch(
      /^\(ES256 RS256\);path="dbsc\/register";challenge="[\w-]{43}"$/,
    );
  });

  it('with the token in the body, or of a service, offers nothing', async () => {
    const fields = { email, password: 'a long and ordinary sentence' };
    const inBody = await api.call('POST', '/auth/login', { body: fields });
    const service = await browser.logIn(email, 'service');
    for (const answer of [inBody, service]) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get('secure-session-registration')).toBeNull();
    }
  });

  it('offers nothing where that is off, or the browser would not do it', async () => {
    for (const env of [{ DEVICE_BOUND_SESSIONS: 'off' }, { ISSUER: 'http://latchkey.test' }]) {
      const node = await api.anotherNode({ ALLOWED_ORIGINS: issuer, ...env });
      const answer = await new BoundBrowser(node).logIn(email);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('secure-session-registration')).toBeNull();
    }
  });
});

describe('a registration', () => {
  it('binds the session to the key, and tells the browser what to keep', async () => {
    await browser.logIn(email);
    const answer = await browser.register();
    const id = `latchkey-${browser.sessionId}`;
    const [own, alias] = ['/auth/refresh', '/api/auth/refresh'].map((path) => ({
      type: 'include',
      domain: 'latchkey.test',
      path,
    }));
    const everything = { type: 'exclude', domain: 'latchkey.test', path: '/' };
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.body).toEqual({
      session_identifier: id,
      refresh_url: 'refresh',
      scope: { include_site: false, scope_specification: [own, alias, everything, alias, own] },
      credentials: [
        {
          type: 'cookie',
          name: '__Host-latchkey_bound',
          attributes: 'Path=/; HttpOnly; Secure; SameSite=Strict',
        },
      ],
      allowed_refresh_initiators: ['app.latchkey.test'],
    });
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-latchkey_bound=[\w-]{54}; Max-Age=300; Path=\/; HttpOnly; Secure; SameSite=/,
      ),
    ]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('secure-session-challenge')).toMatch(/^"[\w-]{43}";id="latchkey-/);
    const [, bound] = await api.eventsOf(browser.sessionId);
    expect(bound).toMatchObject({
      type: 'DeviceKeyBound',
      data: { at: now, deviceKey: { kind: 'dbsc', jwk: browser.key.jwk } },
    });
  });

  // Fails when the paths are those that Latchkey sees behind a proxy that takes the prefix away.
  it('names the paths as the browser sees them', async () => {
    const env = { ISSUER: `${issuer}/id`, ALLOWED_ORIGINS: issuer };
    const behindPrefix = new BoundBrowser(await api.anotherNode(env));
    await behindPrefix.logIn(email);
    const { body } = await behindPrefix.register();
    const paths = body.scope.scope_specification.map(({ path }: { path: string }) => path);
    expect(paths.slice(0, 3)).toEqual(['/id/auth/refresh', '/id/api/auth/refresh', '/']);
  });

  it('takes RS256', async () => {
    browser = new BoundBrowser(api, newDeviceKey('RS256'));
    await browser.logIn(email);
    expect((await browser.register()).status).toBe(200);
    expect(await browser.proveKey()).toMatchObject({ status: 200 });
  });

  // Fails when the retry after a lost answer is an error: that browser would have no key.
  it('may be repeated with the same key, and with no other', async () => {
    await browser.logIn(email);
    const answers = [await browser.register(), await browser.register()];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const other = newDeviceKey().registrationProof(browser.registrationChallenge!);
    expect(await browser.register(other)).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    });
    expect(await typesOf(browser)).toEqual(['SessionStarted', 'DeviceKeyBound']);
  });

  // Fails when the challenge is not bound to the session: another session's could be answered.
  it('needs the challenge of its own login, and soon', async () => {
    const other = new BoundBrowser(api);
    await other.logIn(email);
    await browser.logIn(email);
    const refused = { status: 400, body: { code: 'invalid_device_proof' } };
    const { key } = browser;
    for (const challenge of ['', 'guessed', other.registrationChallenge!]) {
      expect(await browser.register(key.registrationProof(challenge))).toMatchObject(refused);
    }
    now += 601_000;
    expect(await browser.register()).toMatchObject(refused);
    expect(await typesOf(browser)).toEqual(['SessionStarted']);
  });

  it('refuses what is no proof of a key', async () => {
    await browser.logIn(email);
    const challenge = browser.registrationChallenge!;
    const { key } = browser;
    const { jwk } = key;
    const aud = 'https://evil.example.com/auth/dbsc/register';
    for (const proof of [
      'x',
      key.refreshProof(challenge),
      newDeviceKey().sign({ jti: challenge }, { jwk }),
      key.sign({ jti: challenge, aud }, { jwk }),
      key.sign({ jti: challenge, sub: 'latchkey-another' }, { jwk }),
    ]) {
      expect(await browser.register(proof)).toMatchObject({
        status: 400,
        body: { code: 'invalid_device_proof' },
      });
    }
    const good = key.sign({ jti: challenge, aud: `${issuer}/auth/dbsc/register` }, { jwk });
    expect((await browser.register(good)).status).toBe(200);
  });

  it('needs the refresh cookie of a live session in cookie mode', async () => {
    await browser.logIn(email);
    const without = new BoundBrowser(api, browser.key);
    const proof = browser.key.registrationProof(browser.registrationChallenge!);
    expect(await without.register(proof)).toMatchObject({
      status: 401,
      body: { code: 'invalid_token' },
    });
    const cookies = new Map(browser.cookies);
    await browser.logOut();
    for (const [name, value] of cookies) browser.cookies.set(name, value);
    expect(await browser.register()).toMatchObject({
      status: 401,
      body: { code: 'session_ended' },
    });
  });

  // Fails when the life that the session started with counts: the next refresh would refuse it.
  it('binds no session that is over under the settings of now', async () => {
    const lives = { ACCESS_TOKEN_EXPIRY_MS: '60000', REFRESH_TOKEN_EXPIRY_MS: '300000' };
    const strict = await api.anotherNode(lives);
    Object.assign(strict.node, { now: () => now });
    await browser.logIn(email);
    const later = new BoundBrowser(strict, browser.key);
    for (const [name, value] of browser.cookies) later.cookies.set(name, value);
    now += 300_000;
    const proof = browser.key.registrationProof(browser.registrationChallenge!);
    expect(await later.register(proof)).toMatchObject({
      status: 401,
      body: { code: 'session_ended' },
    });
    expect(await typesOf(browser)).toEqual(['SessionStarted', 'SessionExpired']);
  });

  it.each<[Record<string, string>, number]>([
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ 'sec-fetch-site': 'same-site', origin: listed }, 200],
    [{ 'sec-fetch-site': 'same-site', origin: 'https://other.latchkey.test' }, 403],
    [{ 'sec-fetch-site': 'cross-site', origin: listed }, 403],
    [{ 'sec-fetch-site': 'none' }, 403],
  ])('obeys the origin rule: %j is answered %i, with no body to send', async (headers, status) => {
    await browser.logIn(email);
    const proof = browser.key.registrationProof(browser.registrationChallenge!);
    const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
    for (const path of ['/auth/dbsc/register', '/auth/dbsc/refresh']) {
      const answer = await api.call('POST', path, {
        headers: {
          cookie,
          'secure-session-response': path.endsWith('register')
            ? proof
            : browser.key.refreshProof('x'),
          'sec-secure-session-id': `latchkey-${browser.sessionId}`,
          ...headers,
        },
      });
      if (status === 200) expect(answer.body.code).not.toBe('origin_refused');
      else expect(answer).toMatchObject({ status, body: { code: 'origin_refused' } });
    }
  });
});
