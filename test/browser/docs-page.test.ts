import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { type Misdeeds, startChromium, watchedPage } from './chromium.ts';

let api: TestApi;
let browser: Browser;
let page: Page;
let misdeeds: Misdeeds;
beforeAll(async () => {
  [api, browser] = await Promise.all([startTestApi(), startChromium()]);
});
afterAll(async () => {
  await browser?.close();
  await api?.stop();
});
beforeEach(async () => {
  ({ page, misdeeds } = await watchedPage(browser, api.url));
});
afterEach(() => page.context().close());

const innocent: Misdeeds = { violations: [], errors: [], foreign: [] };

async function open(hash = ''): Promise<void> {
  await page.goto(`${api.url}/docs${hash}`);
  await page.locator('.opblock').first().waitFor();
}

const operation = (id: string) => page.locator(`.opblock[id$="-${id}"]`);

/** Opens by its address the operation that is tried: `#/tag/operationId`. */
async function opened(tag: string, id: string): Promise<Locator> {
  await open(`#/${encodeURIComponent(tag)}/${id}`);
  const block = operation(id);
  await block.locator('.opblock-body').waitFor();
  return block;
}

async function answerOf(block: Locator): Promise<{ status: string; body: string }> {
  const clear = block.getByRole('button', { name: 'Clear', exact: true });
  if (await clear.isVisible()) await clear.click();
  await block.getByRole('button', { name: 'Execute', exact: true }).click();
  const live = block.locator('.live-responses-table');
  await live.waitFor();
  const status = await live.locator('.response-col_status').last().innerText();
  const body = await live.locator('.response-col_description').last().innerText();
  return { status: status.trim().slice(0, 3), body };
}

/** Fills the dialog of credentials: one field for a token, two for Basic. */
async function authorize(scheme: string, ...values: string[]): Promise<void> {
  await page.locator('.auth-wrapper .authorize').first().click();
  const form = page.locator('.auth-container', { hasText: scheme }).first();
  const inputs = form.locator('input');
  for (const [index, value] of values.entries()) await inputs.nth(index).fill(value);
  await form.getByRole('button', { name: 'Apply credentials' }).click();
  await page.locator('.btn-done').first().click();
}

describe('the API page in a browser', () => {
  // Fails when the library, or a new release of it, needs inline styles, eval or another host.
  it('loads with no breach of its policy, no error, no request to another origin', async () => {
    await open();
    expect(await page.locator('.opblock').count()).toBeGreaterThan(35);
    expect(await page.getByText('/api/auth/login').count()).toBe(0);
    expect(misdeeds).toEqual(innocent);
  });

  it('finds what is searched for, and only that', async () => {
    await open();
    await page.getByPlaceholder('Filter by tag or path').fill('refresh');
    await expect.poll(() => page.locator('.opblock').count()).toBeLessThan(5);
    expect(await operation('postAuthRefresh').isVisible()).toBe(true);
    expect(misdeeds).toEqual(innocent);
  });

  it('opens the operation that a deep link names, with samples and credentials', async () => {
    const block = await opened('Sign in', 'postAuthRefresh');
    expect(await page.locator('.opblock.is-open').count()).toBe(1);
    expect(await block.locator('input[placeholder="Idempotency-Key"]').isVisible()).toBe(true);
    for (const [language, text] of [
      ['curl', "curl -X POST '"],
      ['JavaScript', 'await fetch("'],
      ['Python', 'requests.request('],
    ] as const) {
      await block.locator('summary', { hasText: language }).click();
      expect(await block.locator('details[open] pre').last().innerText()).toContain(text);
      await block.locator('summary', { hasText: language }).click();
    }
    await block.locator('.authorization__btn').click();
    const dialog = page.locator('.modal-ux');
    expect(await dialog.innerText()).toContain('__Host-latchkey_refresh');
    expect(misdeeds).toEqual(innocent);
  });

  it('shows the error code that a problem document points to', async () => {
    await open('#error-session_superseded');
    const { y } = (await page.locator('#error-session_superseded').boundingBox())!;
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y).toBeLessThan(900);
    expect(misdeeds).toEqual(innocent);
  });

  it('logs in, and the next request carries the token', async () => {
    const { email } = await api.register();
    const login = await opened('Sign in', 'postAuthLogin');
    const body = JSON.stringify({ email, password: testPassword });
    await login.locator('textarea').first().fill(body);
    expect(await answerOf(login)).toMatchObject({ status: '200' });
    const me = operation('getAuthMe');
    await me.locator('.opblock-summary-control').click();
    const { status, body: answer } = await answerOf(me);
    expect(status).toBe('200');
    expect(answer).toContain(email);
    expect(misdeeds).toEqual(innocent);
  });

  // Fails when the page leaves the header out: the second request would make another invite.
  it('sends Idempotency-Key: a repeat is the same invite, without its code', async () => {
    const block = await opened('Administration', 'postAdminInvites');
    const { access_token } = await api.admin();
    await authorize('bearer', access_token);
    await block.locator('input[placeholder="Idempotency-Key"]').fill('one-key-of-a-test');
    const [first, second] = [await answerOf(block), await answerOf(block)];
    expect([first.status, second.status]).toEqual(['201', '201']);
    expect(first.body).toMatch(/"invite": "lki_/);
    expect(second.body).not.toContain('"invite"');
    const expiry = ({ body }: { body: string }) => /"expires_at": "[^"]+"/.exec(body)![0];
    expect(expiry(second)).toBe(expiry(first));
  });

  it('asks /oauth2/introspect as a client, with a form', async () => {
    const { access_token: token } = await api.admin();
    const { body: client } = await api.call('POST', '/admin/clients', {
      token,
      body: { name: 'a service', kind: 'confidential', audiences: ['https://api.example'] },
    });
    const block = await opened('OAuth', 'postOauth2Introspect');
    await authorize('client', client.client_id ?? client.id, client.client_secret);
    const field = block.locator('tr', { hasText: 'token' }).locator('input[type="text"]').first();
    await field.fill(token);
    const { status, body } = await answerOf(block);
    expect(status).toBe('200');
    expect(body).toContain('"active": false');
    expect(misdeeds).toEqual(innocent);
  });
});
