import { afterEach, describe, expect, it } from 'vitest';
import { budgets } from '../../../src/domain/kernel/budgets.ts';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { BoundBrowser } from '../../support/bound-browser.ts';
import { boundSession, provenRefresh, TestDevice } from '../../support/dpop.ts';

const perSession = budgets.refresh[0].count;
const secureIssuer = 'https://latchkey.test';

const started: TestApi[] = [];
afterEach(async () => {
  for (const api of started.splice(0)) await api.stop();
});
async function start(issuer?: string): Promise<TestApi> {
  const secure = issuer === undefined ? {} : { ISSUER: issuer, ALLOWED_ORIGINS: issuer };
  const api = await startTestApi({ RATE_LIMITS: 'on', ...secure });
  started.push(api);
  return api;
}

async function statusesOf(count: number, ask: () => Promise<{ status: number }>) {
  const seen = new Set<number>();
  for (let n = 0; n < count; n += 1) seen.add((await ask()).status);
  return [...seen];
}

describe('the refreshes of a session', () => {
  // Fails when a DPoP header, which anybody can make, buys a budget of its own.
  it('have one budget, whatever keys the requests prove', async () => {
    const api = await start();
    const { email } = await api.register();
    const { refresh_token: token } = await api.logIn({ email });
    const device = () => {
      const stranger = new TestDevice();
      stranger.nonce = nonce;
      return stranger;
    };
    let nonce: string | undefined;
    const first = new TestDevice();
    expect((await provenRefresh(api, first, token)).status).toBe(200);
    nonce = first.nonce;
    // Twice what a minute allows: a minute may end meanwhile.
    const rest = await statusesOf(2 * perSession, () => provenRefresh(api, device(), token));
    expect(rest).toEqual([200, 429]);
  });

  it('are not spent by a thief without the key: DPoP', async () => {
    const api = await start();
    const { device, tokens } = await boundSession(api);
    const stolen = () => api.refresh(tokens.refresh_token);
    expect(await statusesOf(perSession + 1, stolen)).toEqual([401]);
    expect((await provenRefresh(api, device, tokens.refresh_token)).status).toBe(200);
  });

  // Fails when a request pays before its key is asked for.
  it('are not spent by a thief without the key: DBSC', async () => {
    const api = await start(secureIssuer);
    const { email } = await api.register();
    const browser = new BoundBrowser(api);
    await browser.bind(email);
    const thief = browser.stolen();
    thief.forgetBoundCookie();
    expect(await statusesOf(perSession + 1, () => thief.refresh())).toEqual([403]);
    expect((await browser.refresh()).status).toBe(200);
  });
});

// Fails when the browser hears 429: Chromium takes any 4xx but 403 for final, and drops the key.
it('a proof over the budget of its address is answered 503', async () => {
  const api = await start(secureIssuer);
  const { email } = await api.register();
  const browser = new BoundBrowser(api);
  await browser.bind(email);
  Object.assign(api.node.rateLimits, {
    take: () => Promise.reject(new LatchkeyError('rate_limited', { retryAfterSeconds: 7 })),
  });
  const { status, headers } = await browser.askForCookie();
  expect([status, headers.get('retry-after')]).toEqual([503, '7']);
});
