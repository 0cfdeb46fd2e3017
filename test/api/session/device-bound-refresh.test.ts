import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { BoundBrowser } from '../../support/bound-browser.ts';
import { newDeviceKey } from '../../support/device-key.ts';

let api: TestApi;
let email: string;
let now: number;
let browser: BoundBrowser;
beforeAll(async () => {
  api = await startTestApi({ ISSUER: 'https://latchkey.test', DEVICE_POLICY_WEB: 'unlimited' });
  email = (await api.register()).email;
  Object.assign(api.node, { now: () => now });
});
afterAll(() => api.stop());
beforeEach(() => {
  // The first second of a window of challenges.
  now = Math.ceil(Date.now() / 300_000) * 300_000 + 1000;
  browser = new BoundBrowser(api);
});

const typesOf = async ({ sessionId }: BoundBrowser) =>
  (await api.eventsOf(sessionId)).map(({ type }) => type);
const proofNeeded = { status: 403, body: { code: 'device_proof_required' } };
const boundEvents = ['SessionStarted', 'DeviceKeyBound', 'SessionRefreshed', 'DeviceKeyConfirmed'];

describe('a refresh of the bound cookie', () => {
  it('answers with a challenge, then with a fresh cookie, and writes nothing', async () => {
    await browser.bind(email);
    const before = await typesOf(browser);
    browser.forgetBoundCookie();
    const asked = await browser.askForCookie();
    expect(asked).toMatchObject(proofNeeded);
    expect(asked.headers.get('secure-session-challenge')).toBe(
      `"${browser.challenge}";id="latchkey-${browser.sessionId}"`,
    );
    const proven = await browser.askForCookie(browser.key.refreshProof(browser.challenge!));
    expect(proven).toMatchObject({ status: 200, body: { session_identifier: browser.identifier } });
    expect(browser.cookies.has('__Host-latchkey_bound')).toBe(true);
    expect(await typesOf(browser)).toEqual(before);
    expect((await browser.refresh()).status).toBe(200);
  });

  // Fails when a challenge is good once: Chromium sends the proof again whose answer was lost.
  it('takes the newest challenge and the one before, as often as they come', async () => {
    await browser.bind(email);
    const first = browser.key.refreshProof(browser.challenge!);
    now += 300_000;
    await browser.askForCookie();
    for (const proof of [browser.key.refreshProof(browser.challenge!), first, first]) {
      expect((await browser.askForCookie(proof)).status).toBe(200);
    }
    now += 300_000;
    expect(await browser.askForCookie(first)).toMatchObject(proofNeeded);
    expect(await browser.proveKey()).toMatchObject({ status: 200 });
  });

  it('refuses a proof of another key, whatever key it names, and goes on', async () => {
    await browser.bind(email);
    const challenge = browser.challenge!;
    const thief = newDeviceKey();
    for (const proof of [
      'x',
      thief.refreshProof(challenge),
      thief.registrationProof(challenge),
      thief.sign({ jti: challenge }, { jwk: browser.key.jwk }),
    ]) {
      expect(await browser.askForCookie(proof)).toMatchObject({
        status: 400,
        body: { code: 'invalid_device_proof' },
      });
    }
    expect((await browser.proveKey()).status).toBe(200);
  });

  it('does not take the proof of the registration', async () => {
    await browser.bind(email);
    const proof = browser.key.registrationProof(browser.registrationChallenge!);
    expect(await browser.askForCookie(proof)).toMatchObject(proofNeeded);
  });

  it('ends in the browser when the session has ended, whose holder is told how', async () => {
    await browser.bind(email);
    const body = { refresh_token: browser.refreshToken };
    expect((await api.call('POST', '/auth/logout', { body })).status).toBe(204);
    browser.forgetBoundCookie();
    const ended = await browser.proveKey();
    expect(ended).toMatchObject({ status: 200, body: { continue: false } });
    expect(await browser.refresh()).toMatchObject({
      status: 401,
      body: { code: 'session_ended', ended_at: new Date(now).toISOString() },
    });
    browser.forgetBoundCookie();
    expect(await browser.refresh()).toMatchObject({ status: 401, body: { code: 'session_ended' } });
  });

  it('ends in the browser with the life of the session', async () => {
    await browser.bind(email);
    now += 7 * 86_400_000;
    expect(await browser.proveKey()).toMatchObject({ status: 200, body: { continue: false } });
  });

  // Fails when any live session is refreshed: one account's cookie would overwrite the other's.
  it('ends in a browser that holds the cookies of another session by now', async () => {
    await browser.bind(email);
    const { identifier } = browser;
    await browser.bind(email);
    const bound = browser.cookies.get('__Host-latchkey_bound');
    const { identifier: current } = browser;
    expect(current).not.toBe(identifier);
    browser.identifier = identifier;
    expect(await browser.proveKey()).toMatchObject({ status: 200, body: { continue: false } });
    expect(browser.cookies.get('__Host-latchkey_bound')).toBe(bound);
    expect((await browser.refresh()).status).toBe(200);
  });

  it('ends in a browser that names no session of ours; one that names none is refused', async () => {
    await browser.logIn(email);
    for (const identifier of ['other', `latchkey-${browser.sessionId}`, 'latchkey-']) {
      browser.identifier = identifier;
      expect((await browser.askForCookie()).body).toEqual({ continue: false });
    }
    const headers = { 'sec-fetch-site': 'same-origin' };
    const answer = await api.call('POST', '/auth/dbsc/refresh', { headers });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

describe('a refresh of a bound session', () => {
  it('needs the bound cookie from the first one on that carried it', async () => {
    await browser.logIn(email);
    await browser.register();
    expect((await browser.refresh()).status).toBe(200);
    expect(await typesOf(browser)).toEqual(boundEvents);
    browser.forgetBoundCookie();
    expect(await browser.refresh()).toMatchObject(proofNeeded);
    expect((await browser.proveKey()).status).toBe(200);
    expect((await browser.refresh()).status).toBe(200);
  });

  // Fails when the registration alone binds: then this browser is logged out for ever.
  it('goes on without a key where the answer to the registration was lost', async () => {
    await browser.logIn(email);
    await browser.register();
    browser.forgetBoundCookie();
    for (let round = 0; round < 3; round++) {
      now += 900_000;
      expect((await browser.refresh()).status).toBe(200);
    }
    expect(await typesOf(browser)).not.toContain('DeviceKeyConfirmed');
  });

  it('is refused with an expired, a foreign or an invented bound cookie', async () => {
    await browser.bind(email);
    const other = new BoundBrowser(api);
    await other.bind(email);
    const own = browser.cookies.get('__Host-latchkey_bound')!;
    for (const value of [other.cookies.get('__Host-latchkey_bound')!, 'x', `${own}A`]) {
      browser.cookies.set('__Host-latchkey_bound', value);
      expect(await browser.refresh()).toMatchObject(proofNeeded);
    }
    browser.cookies.set('__Host-latchkey_bound', own);
    now += 300_000;
    expect(await browser.refresh()).toMatchObject(proofNeeded);
    now -= 1;
    expect((await browser.refresh()).status).toBe(200);
  });

  it('is refused where the stolen token comes in the body, too', async () => {
    await browser.bind(email);
    const body = { refresh_token: browser.refreshToken };
    expect(await api.call('POST', '/auth/refresh', { body })).toMatchObject(proofNeeded);
    expect((await browser.refresh()).status).toBe(200);
  });

  it('refuses a bound cookie that came twice', async () => {
    await browser.bind(email);
    const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
    const answer = await api.call('POST', '/auth/refresh', {
      body: {},
      headers: { 'sec-fetch-site': 'same-origin', cookie: `${cookie}; __Host-latchkey_bound=x` },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  // What the documentation admits: the cookie is a bearer credential for as long as it lives.
  it('works for a thief until the stolen bound cookie expires, then for the holder', async () => {
    await browser.bind(email);
    const thief = browser.stolen();
    expect((await thief.refresh()).status).toBe(200);
    expect((await thief.refresh()).status).toBe(200);
    now += 300_000;
    expect(await thief.refresh()).toMatchObject(proofNeeded);
    expect((await thief.proveKey()).status).toBe(400);
    browser.forgetBoundCookie();
    expect((await browser.proveKey()).status).toBe(200);
    expect((await browser.refresh()).status).toBe(200);
    expect(await typesOf(browser)).not.toContain('SessionRevoked');
  });

  // Fails when a repeat does not bind: the thief of an unbound token would stay one ahead for ever.
  it('shuts a thief out who has rotated before the first proof', async () => {
    await browser.logIn(email);
    const thief = browser.stolen();
    await browser.register();
    expect((await thief.refresh()).status).toBe(200);
    expect((await browser.refresh()).status).toBe(200);
    expect(await thief.refresh()).toMatchObject(proofNeeded);
    expect((await browser.refresh()).status).toBe(200);
  });

  it('tells the holder of the newcomer, and a thief only of the end', async () => {
    const other = await api.register();
    await browser.bind(other.email, 'mobile');
    const thief = browser.stolen();
    thief.forgetBoundCookie();
    await api.logIn({ email: other.email, device: 'mobile' });
    expect(await thief.refresh()).toMatchObject({ status: 401, body: { code: 'session_ended' } });
    expect(await browser.refresh()).toMatchObject({
      status: 401,
      body: { code: 'session_superseded', device_name: expect.any(String) },
    });
  });
});

describe('a logout', () => {
  it('removes both cookies', async () => {
    await browser.bind(email);
    const answer = await browser.logOut();
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie().map((line) => line.split('=')[0])).toEqual([
      '__Host-latchkey_refresh',
      '__Host-latchkey_bound',
    ]);
    expect((await browser.askForCookie()).body).toEqual({ continue: false });
  });
});

describe('the metrics', () => {
  it('count registrations, refreshes and what browsers skipped, by result', async () => {
    const text = async () => (await api.node.metrics.registry.metrics()).split('\n');
    const of = (step: string, result: string) =>
      `latchkey_device_binding_total{step="${step}",result="${result}"}`;
    const value = (lines: string[], name: string) =>
      Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1] ?? 0);
    const before = await text();
    await browser.bind(email);
    await browser.register('x');
    await browser.askForCookie();
    await browser.proveKey();
    await browser.refresh({ 'secure-session-skipped': 'server_error;session_identifier="x"' });
    const after = await text();
    for (const [name, more] of [
      [of('registration', 'bound'), 1],
      [of('registration', 'invalid_device_proof'), 1],
      [of('refresh', 'challenged'), 1],
      [of('refresh', 'renewed'), 1],
      [of('skipped', 'server_error'), 1],
    ] as const) {
      expect(value(after, name) - value(before, name), name).toBe(more);
    }
  });
});
