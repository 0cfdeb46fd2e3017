import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { none } from '../../src/api/http/auth.ts';
import { reply } from '../../src/api/http/reply.ts';
import { route } from '../../src/api/http/route.ts';
import { mailLinkRoutes } from '../../src/api/pages/mail-link-page.ts';
import { startTestApp } from '../api/http/test-app.ts';
import { type Misdeeds, startChromium, watchedPage } from './chromium.ts';

const paths = ['/auth/verify-email', '/auth/password/reset', '/auth/email/confirm'];

/** The pages of the product; their POSTs are noted, and answered as the test says. */
async function startPages(answer: { status: number }) {
  const posts: { path: string; body: unknown; cookie: string | undefined }[] = [];
  const answers = paths.map((path) =>
    route({
      method: 'post',
      path,
      summary: 'What the page sends',
      tags: [],
      auth: none,
      body: z.looseObject({}),
      responses: { 204: { description: 'Done' } },
      handler: ({ body, headers }) => {
        posts.push({ path, body, cookie: headers.cookie });
        return reply(answer.status);
      },
    }),
  );
  const app = await startTestApp([...mailLinkRoutes(), ...answers]);
  return { url: app.url, posts, close: () => app.drain(1000) };
}

describe('the page behind a link in a mail, in a browser', () => {
  let browser: Browser;
  let front: Awaited<ReturnType<typeof startPages>>;
  let page: Page;
  let misdeeds: Misdeeds;
  let answer: { status: number };
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    answer = { status: 204 };
    front = await startPages(answer);
    ({ page, misdeeds } = await watchedPage(browser, front.url));
  });
  afterEach(async () => {
    await page.context().close();
    await front.close();
  });

  const visible = (id: string) => page.locator(`#${id}`).isVisible();

  // Fails when the token stands in a request line or stays in the history, or a scanner that runs
  // the scripts of a page uses the link up.
  it('takes the token out of the address bar, and sends it at the button', async () => {
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url().split('#')[0]!));
    await page.goto(`${front.url}/auth/email/confirm#the-token`);
    expect(page.url()).toBe(`${front.url}/auth/email/confirm`);
    expect(await visible('password')).toBe(false);
    expect(front.posts).toEqual([]);
    await page.getByRole('button').click();
    await page.locator('#done').waitFor();
    expect(front.posts).toEqual([
      { path: '/auth/email/confirm', body: { token: 'the-token' }, cookie: undefined },
    ]);
    expect(asked.filter((url) => url.includes('the-token'))).toEqual([]);
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
