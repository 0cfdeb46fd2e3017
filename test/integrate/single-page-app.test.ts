import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChromium } from '../browser/chromium.ts';
import { testPassword } from '../support/api.ts';
import { filesOf } from './page.ts';
import { startWorld, type World } from './world.ts';

let world: World;
let browser: Browser;
let application: Server;
let latchkey: string;
let origin: string;
let otherSite: string;
beforeAll(async () => {
  application = await serveApplication();
  const { port } = application.address() as AddressInfo;
  // Chromium asks this machine for every name below localhost.
  origin = `http://app.example.localhost:${port}`;
  otherSite = `http://localhost:${port}`;
  [world, browser] = await Promise.all([
    startWorld((issuer) => {
      latchkey = issuer.replace('127.0.0.1', 'auth.example.localhost');
      return {
        ISSUER: latchkey,
        DEFAULT_AUDIENCE: latchkey,
        ALLOWED_ORIGINS: `${origin},${otherSite}`,
        // Only the Idempotency-Key is left to save a session whose answer was lost.
        REFRESH_GRACE_SECONDS: '0',
      };
    }),
    startChromium(),
  ]);
});
afterAll(async () => {
  await browser?.close();
  application.closeAllConnections();
  application.close();
  await world?.stop();
});

let context: BrowserContext;
let page: Page;
beforeEach(async () => {
  context = await browser.newContext();
  page = await openTab();
});
afterEach(() => context.close());

async function serveApplication(): Promise<Server> {
  const script = filesOf('single-page-app')['session.js']!;
  const server = createServer(({ url }, response) => {
    const isScript = url === '/session.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><title>Orders</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function openTab(from = origin): Promise<Page> {
  const tab = await context.newPage();
  await open(tab, from);
  return tab;
}

async function open(tab: Page, from = origin): Promise<void> {
  await tab.goto(from);
  await tab.evaluate(`import('/session.js').then(({ createSession }) => {
    window.session = createSession('${latchkey}');
  })`);
}

const logIn = async (tab: Page, email: string) =>
  tab.evaluate(`session.logIn('${email}', '${testPassword}')`) as Promise<{
    ok: boolean;
    user?: { id: string };
    problem?: { code: string };
  }>;
const me = (tab: Page) =>
  tab.evaluate(`session.call('${latchkey}/auth/me').then(async (answer) => {
    const body = await answer.json();
    return { status: answer.status, user: body.user?.id, session: body.session?.id };
  })`) as Promise<{ status: number; user?: string; session?: string }>;
const refresh = (tab: Page) => tab.evaluate('session.refresh()') as Promise<boolean>;

async function loggedIn() {
  const user = await world.api.register();
  expect(await logIn(page, user.email)).toMatchObject({ ok: true, user: { id: user.id } });
  const { session } = await me(page);
  return { ...user, session: session! };
}

/** How often the session was refreshed, and what else became of it. */
async function historyOf(session: string): Promise<string[]> {
  return (await world.api.eventsOf(session)).map(({ type }) => type).slice(1);
}

describe('the application in a browser', () => {
  it('logs in, and no script can read what would keep it logged in', async () => {
    const { id } = await loggedIn();
    expect(await me(page)).toMatchObject({ status: 200, user: id });
    expect(await page.evaluate('document.cookie + JSON.stringify(localStorage)')).toBe('{}');
    const cookies = await context.cookies(latchkey);
    expect(cookies.find(({ name }) => name === '__Host-latchkey_refresh')).toMatchObject({
      httpOnly: true,
      secure: true,
      sameSite: 'Strict',
    });
  });

  it('learns why a login was refused', async () => {
    const answer = await logIn(page, 'nobody@example.com');
    expect(answer).toMatchObject({ ok: false, problem: { code: 'invalid_credentials' } });
    expect(await refresh(page)).toBe(false);
  });

  it('is still logged in after a reload', async () => {
    const { id, session } = await loggedIn();
    await open(page);
    expect(await refresh(page)).toBe(true);
    expect(await me(page)).toMatchObject({ status: 200, user: id });
    expect(await historyOf(session)).toEqual(['SessionRefreshed']);
  });

  // Fails when the retry draws another key: the session then ends for reuse.
  it('survives a lost answer to its refresh', async () => {
    const { session } = await loggedIn();
    // A browser sends a request again by itself when a connection that it kept breaks under it.
    world.network.cutAll();
    const lost = world.network.loseAnswerTo('POST /auth/refresh');
    expect(await refresh(page)).toBe(true);
    await lost;
    expect(await historyOf(session)).toEqual(['SessionRefreshed']);
    expect(await me(page)).toMatchObject({ status: 200 });
  });

  // Fails when the key is kept in memory only.
  it('survives a lost answer and a reload before the retry', async () => {
    const { session } = await loggedIn();
    // A browser sends a request again by itself when a connection that it kept breaks under it.
    world.network.cutAll();
    const lost = world.network.loseAnswerTo('POST /auth/refresh');
    let tries = 0;
    await page.route(`${latchkey}/auth/refresh`, (route) => {
      tries += 1;
      return tries === 1 ? route.continue() : route.abort();
    });
    await page.evaluate('void session.refresh()');
    await lost;
    await open(page);
    await page.unroute(`${latchkey}/auth/refresh`);
    expect(await refresh(page)).toBe(true);
    expect(await historyOf(session)).toEqual(['SessionRefreshed']);
    expect(await page.evaluate('localStorage.length')).toBe(0);
  });

  it('refreshes once for many calls at once', async () => {
    const { session } = await loggedIn();
    await open(page);
    const statuses = await Promise.all([me(page), me(page), me(page), me(page)]);
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await historyOf(session)).toEqual(['SessionRefreshed']);
  });

  // Fails without the lock: the second tab presents what the first one has used up.
  it('refreshes in two tabs one after the other', async () => {
    const { session } = await loggedIn();
    const other = await openTab();
    const answers = await Promise.all([page, other, page, other].map(refresh));
    expect(answers).toEqual([true, true, true, true]);
    expect(await historyOf(session)).toEqual(['SessionRefreshed', 'SessionRefreshed']);
  });

  it('logs out, and with it every tab', async () => {
    await loggedIn();
    const other = await openTab();
    expect(await me(other)).toMatchObject({ status: 200 });
    await page.evaluate('session.logOut()');
    expect(await me(page)).toMatchObject({ status: 401 });
    expect(await me(other)).toMatchObject({ status: 401 });
    expect(await refresh(other)).toBe(false);
  });

  it('is refused on another site, although its origin is listed', async () => {
    const { email } = await loggedIn();
    const stranger = await openTab(otherSite);
    const answer = await logIn(stranger, email);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'origin_refused' } });
    expect(await me(page)).toMatchObject({ status: 200 });
  });
});
