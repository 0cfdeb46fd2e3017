import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  boundCookieName,
  cookieOf,
  type DeviceBoundWorld,
  logIn,
  openTab,
  post,
  refreshCookieName,
  startDeviceBoundWorld,
} from './device-bound-world.ts';

let world: DeviceBoundWorld;
let email: string;
let page: Page;
beforeAll(async () => {
  world = await startDeviceBoundWorld();
  email = (await world.api.register()).email;
});
afterAll(() => world?.stop());
beforeEach(async () => {
  page = await world.newProfile();
});
afterEach(() => page.context().close());

const registerPath = '/auth/dbsc/register';
const provePath = '/auth/dbsc/refresh';
const typesOf = async (sessionId: string) =>
  (await world.api.eventsOf(sessionId)).map(({ type }) => type);
const refresh = (from: Page = page) => post(from, `${world.origin}/auth/refresh`);
const isRegistered = () => expect.poll(() => cookieOf(page, boundCookieName)).toBeDefined();
const forgetBoundCookie = () => page.context().clearCookies({ name: boundCookieName });

/** A session that is bound: registered, and refreshed once with the bound cookie. */
async function bind(): Promise<string> {
  const sessionId = await logIn(page, world.origin, email);
  await isRegistered();
  expect((await refresh()).status).toBe(200);
  return sessionId;
}

describe('a browser with device-bound sessions', () => {
  it('registers a key by itself after a login', async () => {
    const sessionId = await logIn(page, world.origin, email);
    await isRegistered();
    expect(await typesOf(sessionId)).toEqual(['SessionStarted', 'DeviceKeyBound']);
    const [registration] = world.front.taken(registerPath);
    expect(registration).toMatchObject({
      status: 200,
      headers: { 'sec-fetch-site': 'same-origin', origin: world.origin, 'content-length': '0' },
    });
  });

  it('binds the session at its first refresh', async () => {
    const sessionId = await bind();
    expect(await typesOf(sessionId)).toEqual([
      'SessionStarted',
      'DeviceKeyBound',
      'SessionRefreshed',
      'DeviceKeyConfirmed',
    ]);
  });

  // Nothing deletes the cookie here: it reaches the end of its own life.
  it('proves its key by itself when the bound cookie has expired, and goes on', async () => {
    const sessionId = await bind();
    world.front.taken(provePath);
    const cookie = await cookieOf(page, boundCookieName);
    await expect.poll(() => cookieOf(page, boundCookieName)).toBeUndefined();
    expect(await refresh()).toMatchObject({ status: 200, body: { session: { id: sessionId } } });
    const proofs = world.front.taken(provePath);
    expect(proofs[0]!.headers).toMatchObject({
      'sec-fetch-site': 'same-origin',
      'sec-secure-session-id': `latchkey-${sessionId}`,
    });
    expect(proofs.at(-1)).toMatchObject({ status: 200 });
    expect(await cookieOf(page, boundCookieName)).not.toBe(cookie);
  });

  // Fails when the session instructions cover the whole origin.
  it('proves nothing for any other request', async () => {
    await bind();
    await forgetBoundCookie();
    world.front.taken(provePath);
    expect((await post(page, `${world.origin}/auth/verify`)).status).toBe(401);
    await openTab(page.context(), world.origin);
    expect(world.front.taken(provePath)).toEqual([]);
  });

  it('drops its key when the session was ended elsewhere, and tells the page', async () => {
    await bind();
    const body = { refresh_token: await cookieOf(page, refreshCookieName) };
    world.front.taken(provePath);
    expect((await world.api.call('POST', '/auth/logout', { body })).status).toBe(204);
    const ended = { status: 401, body: { code: 'session_ended' } };
    const answers: unknown[] = [];
    // The browser renews the cookie by itself, also while the session ends: then once more.
    await expect
      .poll(async () => {
        await forgetBoundCookie();
        expect(await refresh()).toMatchObject(ended);
        answers.push(...world.front.taken(provePath).map((proof) => proof.body));
        return answers.at(-1);
      })
      .toBe('{"continue":false}');
    await forgetBoundCookie();
    expect(await refresh()).toMatchObject({ status: 401, body: { code: 'session_ended' } });
    expect(world.front.taken(provePath)).toEqual([]);
  });

  it('tells the page which device has superseded it', async () => {
    const other = await world.api.register();
    const narrow = await world.api.anotherNode({ DEVICE_POLICY_WEB: 'single' });
    await logIn(page, world.origin, other.email);
    await isRegistered();
    expect((await refresh()).status).toBe(200);
    await narrow.logIn({ email: other.email });
    await forgetBoundCookie();
    const { status, body } = await refresh();
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'session_superseded' });
    expect(body.device_name).toEqual(expect.any(String));
  });

  it('goes on after a lost answer to its proof', async () => {
    const sessionId = await bind();
    await forgetBoundCookie();
    world.front.taken(provePath);
    world.front.breakNext(provePath, 'lost');
    expect(await refresh()).toMatchObject({ status: 200, body: { session: { id: sessionId } } });
    expect(world.front.taken(provePath).length).toBeGreaterThan(1);
  });

  // Fails when the registration alone binds: the browser has no key then, and is logged out.
  it('goes on after a lost answer to its registration', async () => {
    world.front.taken(registerPath);
    world.front.breakNext(registerPath, 'lost');
    const sessionId = await logIn(page, world.origin, email);
    await expect.poll(() => typesOf(sessionId)).toContain('DeviceKeyBound');
    for (let round = 0; round < 3; round++) {
      expect(await refresh()).toMatchObject({ status: 200, body: { session: { id: sessionId } } });
    }
  });

  it('is not logged out while the proof cannot be checked, and goes on when it can', async () => {
    const sessionId = await bind();
    await forgetBoundCookie();
    world.front.breakNext(provePath, 'failed');
    expect(await refresh()).toMatchObject({ status: 403, body: { code: 'device_proof_required' } });
    expect(await refresh()).toMatchObject({ status: 200, body: { session: { id: sessionId } } });
  });

  it('serves two tabs that refresh at once with one successor and no error', async () => {
    const sessionId = await bind();
    const tab = await openTab(page.context(), world.origin);
    for (let round = 0; round < 5; round++) {
      await forgetBoundCookie();
      const answers = await Promise.all([refresh(), refresh(tab), refresh(), refresh(tab)]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    }
    expect(await typesOf(sessionId)).not.toContain('SessionRevoked');
  });

  it('follows the session of a page on a listed origin of the same site', async () => {
    const sibling = await openTab(page.context(), world.sibling);
    const sessionId = await logIn(sibling, world.origin, email);
    await isRegistered();
    expect((await refresh(sibling)).status).toBe(200);
    await forgetBoundCookie();
    world.front.taken(provePath);
    expect(await refresh(sibling)).toMatchObject({
      status: 200,
      body: { session: { id: sessionId } },
    });
    // Chromium names the origin of the session, not that of the page.
    expect(world.front.taken(provePath).at(-1)).toMatchObject({
      status: 200,
      headers: { 'sec-fetch-site': 'same-origin', origin: world.origin },
    });
    expect(await typesOf(sessionId)).toContain('DeviceKeyConfirmed');
  });

  it('logs in anew beside a session that it has not logged out of', async () => {
    await bind();
    const sessionId = await bind();
    for (let round = 0; round < 3; round++) {
      await forgetBoundCookie();
      expect(await refresh()).toMatchObject({ status: 200, body: { session: { id: sessionId } } });
    }
  });
});
