import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  boundCookieName,
  cookieOf,
  type DeviceBoundWorld,
  logIn,
  post,
  refreshCookieName,
  startDeviceBoundWorld,
} from './device-bound-world.ts';

const attempts = 1000;

let world: DeviceBoundWorld;
beforeAll(async () => {
  world = await startDeviceBoundWorld();
});
afterAll(() => world?.stop());

/** The statuses of `count` refreshes, made by the page itself. */
function refreshMany(page: Page, count: number, body: object): Promise<Record<string, number>> {
  return page.evaluate(
    async ({ times, json }) => {
      const answered: Record<string, number> = {};
      const headers = { 'content-type': 'application/json' };
      for (let n = 0; n < times; n++) {
        const answer = await fetch('/auth/refresh', { method: 'POST', headers, body: json });
        const code = answer.ok ? 'accepted' : ((await answer.json()) as { code: string }).code;
        answered[code] = (answered[code] ?? 0) + 1;
      }
      return answered;
    },
    { times: count, json: JSON.stringify(body) },
  );
}

describe('the cookies of a bound session in another profile', () => {
  it(`refresh nothing in ${attempts} attempts, and do not end the session`, async () => {
    const { email } = await world.api.register();
    const owner = await world.newProfile();
    const sessionId = await logIn(owner, world.origin, email);
    await expect.poll(() => cookieOf(owner, boundCookieName)).toBeDefined();
    expect((await post(owner, `${world.origin}/auth/refresh`)).status).toBe(200);
    const refreshToken = (await cookieOf(owner, refreshCookieName))!;
    const boundCookie = (await cookieOf(owner, boundCookieName))!;
    // The owner's bound cookie has come to its end: the thief keeps it longer than it is good.
    await expect.poll(() => cookieOf(owner, boundCookieName)).toBeUndefined();

    const thief = await world.newProfile();
    const put = (name: string, value: string) =>
      thief.context().addCookies([
        {
          name,
          value,
          url: world.origin,
          httpOnly: true,
          secure: true,
          sameSite: 'Strict',
          expires: Math.floor(Date.now() / 1000) + 86_400,
        },
      ]);
    await put(refreshCookieName, refreshToken);
    const alone = await refreshMany(thief, attempts / 4, {});
    await put(boundCookieName, boundCookie);
    const both = await refreshMany(thief, attempts / 4, {});
    await thief.context().clearCookies();
    const inBody = await refreshMany(thief, attempts / 2, { refresh_token: refreshToken });

    console.log(
      `stolen: ${JSON.stringify({ refreshCookie: alone, bothCookies: both, tokenInBody: inBody })}`,
    );
    expect(alone).toEqual({ device_proof_required: attempts / 4 });
    expect(both).toEqual({ device_proof_required: attempts / 4 });
    expect(inBody).toEqual({ device_proof_required: attempts / 2 });
    expect((await post(owner, `${world.origin}/auth/refresh`)).status).toBe(200);
    const types = (await world.api.eventsOf(sessionId)).map(({ type }) => type);
    expect(types).not.toContain('SessionRevoked');
  });
});
