import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { startChromium } from './chromium.ts';
import { startTlsFront, type TlsFront } from './tls-front.ts';

export const boundCookieName = '__Host-latchkey_bound';
export const refreshCookieName = '__Host-latchkey_refresh';

const softwareKeys = 'EnableBoundSessionCredentialsSoftwareKeysForManualTesting';

/** How long a bound cookie lives in this world: short enough to wait for. */
const boundCookieSeconds = 10;

export interface DeviceBoundWorld {
  readonly api: TestApi;
  readonly browser: Browser;
  readonly front: TlsFront;
  /** Where the API is, and a page of its own origin. */
  readonly origin: string;
  /** A listed origin of the same site. */
  readonly sibling: string;
  /** A page in a profile of its own: nothing of another context is known to it. */
  newProfile(origin?: string): Promise<Page>;
  stop(): Promise<void>;
}

/**
 * Latchkey behind TLS, and Chromium with device-bound sessions whose keys are in software, as a
 * machine without a TPM needs it.
 */
export async function startDeviceBoundWorld(): Promise<DeviceBoundWorld> {
  const front = await startTlsFront();
  const origin = `https://auth.latchkey.test:${front.port}`;
  const sibling = `https://app.latchkey.test:${front.port}`;
  const [api, browser] = await Promise.all([
    startTestApi({
      ISSUER: origin,
      ALLOWED_ORIGINS: `${origin},${sibling}`,
      BOUND_COOKIE_SECONDS: String(boundCookieSeconds),
      DEVICE_POLICY_WEB: 'unlimited',
    }),
    // With --ignore-certificate-errors in its place, the browser offers to bind nothing.
    startChromium([
      `--enable-features=DeviceBoundSessions,${softwareKeys}`,
      `--ignore-certificate-errors-spki-list=${front.spkiHash}`,
      '--host-resolver-rules=MAP *.latchkey.test 127.0.0.1',
    ]),
  ]);
  front.forwardTo(api.url);
  return {
    api,
    browser,
    front,
    origin,
    sibling,
    newProfile: async (at = origin) => openTab(await browser.newContext(), at),
    stop: async () => {
      await browser.close();
      await api.stop();
      await front.stop();
    },
  };
}

export async function openTab(context: BrowserContext, origin: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/app`);
  return page;
}

export interface PageAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into, not passed on
  readonly body: any;
}

/** A POST of JSON by the page, with its cookies. Nothing else of it knows of bound sessions. */
export async function post(page: Page, url: string, body: object = {}): Promise<PageAnswer> {
  const { status, text } = await page.evaluate(
    async ([to = '', json = '']) => {
      const headers = { 'content-type': 'application/json' };
      const options = { method: 'POST', credentials: 'include', headers, body: json } as const;
      const answer = await fetch(to, options);
      return { status: answer.status, text: await answer.text() };
    },
    [url, JSON.stringify(body)],
  );
  return { status, body: text === '' ? undefined : JSON.parse(text) };
}

/** Logs the page in in cookie mode; the session's id. */
export async function logIn(page: Page, url: string, email: string): Promise<string> {
  const answer = await post(page, `${url}/auth/login`, {
    email,
    password: testPassword,
    transport: 'cookie',
  });
  expect(answer.status).toBe(200);
  return answer.body.session.id;
}

/** The value of a cookie of the page's profile; undefined when it has none, or it has expired. */
export async function cookieOf(page: Page, name: string): Promise<string | undefined> {
  const cookies = await page.context().cookies();
  return cookies.find((cookie) => cookie.name === name)?.value;
}
