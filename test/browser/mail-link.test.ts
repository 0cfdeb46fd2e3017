import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mailLinkRoutes } from '../../src/api/pages/mail-link-page.ts';
import { startTestApp } from '../api/http/test-app.ts';
import { type Misdeeds, startChromium, watchedPage } from './chromium.ts';

/** Serves the pages of the product, and answers their POSTs as the test says. */
async function startFront(appUrl: string, answer: { status: number }) {
  const posts: { path: string; body: unknown; cookie: string | undefined }[] = [];
  const targets: string[] = [];
  const server: Server = createServer(async (request, response) => {
    targets.push(`${request.method} ${request.url}`);
    if (request.method === 'POST') {
      const chunks = await request.toArray();
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      posts.push({ path: request.url!, body, cookie: request.headers.cookie });
      response.writeHead(answer.status).end();
      return;
    }
    const { 'accept-language': language = '' } = request.headers;
    const page = await fetch(appUrl + request.url, { headers: { 'accept-language': language } });
    const {
      'content-encoding': _,
      'transfer-encoding': __,
      ...headers
    } = Object.fromEntries(page.headers);
    response.writeHead(page.status, headers).end(Buffer.from(await page.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, posts, targets, close: () => server.closeAllConnections() ?? server.close() };
}

describe('the page behind a link in a mail, in a browser', () => {
  let app: Awaited<ReturnType<typeof startTestApp>>;
  let browser: Browser;
  let front: Awaited<ReturnType<typeof startFront>>;
  let page: Page;
  let misdeeds: Misdeeds;
  let answer: { status: number };
  beforeAll(async () => {
    [app, browser] = await Promise.all([startTestApp(mailLinkRoutes()), startChromium()]);
  });
  afterAll(async () => {
    await browser.close();
    await app.drain(1000);
  });
  beforeEach(async () => {
    answer = { status: 204 };
    front = await startFront(app.url, answer);
    ({ page, misdeeds } = await watchedPage(browser, front.url));
  });
  afterEach(async () => {
    await page.context().close();
    front.close();
  });

  const visible = (id: string) => page.locator(`#${id}`).isVisible();

  // Fails when the token stands in a request line or stays in the history, or a scanner that runs
  // the scripts of a page uses the link up.
  it('takes the token out of the address bar, and sends it at the button', async () => {
    await page.goto(`${front.url}/auth/email/confirm#the-token`);
    expect(page.url()).toBe(`${front.url}/auth/email/confirm`);
    expect(await visible('password')).toBe(false);
    expect(front.posts).toEqual([]);
    await page.getByRole('button').click();
    await page.locator('#done').waitFor();
    expect(front.posts).toEqual([
      { path: '/auth/email/confirm', body: { token: 'the-token' }, cookie: undefined },
    ]);
    expect(front.targets.filter((target) => target.includes('the-token'))).toEqual([]);
    expect(misdeeds).toEqual({ violations: [], errors: [], foreign: [] });
  });

  it('a new password is demanded, the password of the registration may be left out', async () => {
    await page.goto(`${front.url}/auth/password/reset#t`);
    await page.getByRole('button').click();
    expect(front.posts).toEqual([]);
    await page.locator('input').fill('a new and ordinary sentence');
    await page.getByRole('button').click();
    await page.locator('#done').waitFor();
    await page.goto(`${front.url}/auth/verify-email#u`);
    await page.getByRole('button').click();
    await page.locator('#done').waitFor();
    expect(front.posts.map(({ body }) => body)).toEqual([
      { token: 't', new_password: 'a new and ordinary sentence' },
      { token: 'u' },
    ]);
  });

  it.each([
    [401, 'invalid', false],
    [422, 'refused', true],
    [503, 'failed', true],
  ] as const)(
    'an answer %i is told, and the form stays where a retry helps',
    async (status, id, stays) => {
      answer.status = status;
      await page.goto(`${front.url}/auth/password/reset#t`);
      await page.locator('input').fill('a new and ordinary sentence');
      await page.getByRole('button').click();
      await page.locator(`#${id}`).waitFor();
      expect(await visible('form')).toBe(stays);
    },
  );

  it('a page that was loaded again has no token, and says so', async () => {
    await page.goto(`${front.url}/auth/password/reset#t`);
    await page.reload();
    expect(await visible('invalid')).toBe(true);
    expect(await visible('form')).toBe(false);
  });
});
