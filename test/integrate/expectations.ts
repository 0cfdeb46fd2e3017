import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from './service.ts';
import { type Login, otherAudience, startWorld, type World } from './world.ts';

/** What the page of a service says of it. */
export interface Behaviour {
  /**
   * When a logged-out token is refused: `at once`, `in seconds`, or with nothing but its own end,
   * after which the service accepts it for `leewaySeconds` more.
   */
  readonly logout:
    | { readonly when: 'at once' }
    | { readonly when: 'in seconds'; readonly seconds: number }
    | { readonly when: 'at its end'; readonly leewaySeconds: number };
  /**
   * What a good token may get while Latchkey cannot be reached: one that the service saw just
   * before, and one that it never saw.
   */
  readonly outage: { readonly known: readonly number[]; readonly unknown: readonly number[] };
}

/**
 * What is said about each service beside Latchkey: `/orders` for every user, `/admin/report` for
 * the role `admin`. The answer names the user.
 */
export function expectSafeService(
  name: string,
  start: (world: World) => Promise<Service>,
  { logout, outage }: Behaviour,
): void {
  describe(name, () => {
    let world: World;
    let service: Service;
    let plain: Login;
    beforeAll(async () => {
      world = await startWorld();
      service = await start(world);
      plain = await world.newLogin();
    }, 600_000);
    afterAll(async () => {
      await service?.stop();
      await world?.stop();
    });

    const ask = async (path: string, authorization?: string) => {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await fetch(service.url + path, { headers });
      const body = await answer.text();
      return { status: answer.status, body, challenge: answer.headers.get('www-authenticate') };
    };
    const statusOf = async (token: string, path = '/orders') =>
      (await ask(path, `Bearer ${token}`)).status;

    it('refuses a request without a token', async () => {
      const refused = await ask('/orders');
      expect(refused).toMatchObject({ status: 401, challenge: expect.stringMatching(/^Bearer/) });
      expect(refused.challenge).not.toContain('error=');
    });

    it('answers a good token, and knows whose it is', async () => {
      const { status, body } = await ask('/orders', `Bearer ${plain.access}`);
      expect([status, JSON.parse(body)]).toEqual([200, { user: plain.userId }]);
      expect((await ask('/orders', `bearer ${plain.access}`)).status).toBe(200);
    });

    it('demands the role', async () => {
      expect(await statusOf(plain.access, '/admin/report')).toBe(403);
      const admin = await world.newLogin({ role: 'admin' });
      const { status, body } = await ask('/admin/report', `Bearer ${admin.access}`);
      expect([status, JSON.parse(body)]).toEqual([200, { user: admin.userId }]);
    });

    // Fails when the page leaves out the audience: any service could use its users' tokens here.
    it('refuses a token for another service', async () => {
      const other = await world.newLogin({ audience: otherAudience });
      expect(await statusOf(other.access)).toBe(401);
    });

    // Fails when the page does not look at `cnf`: a stolen token of a bound session would be good.
    it('refuses a token that is bound to a key, without a proof', async () => {
      const bound = await world.newBoundToken();
      expect(await ask('/orders', `Bearer ${bound}`)).toMatchObject({
        status: 401,
        challenge: expect.stringContaining('invalid_token'),
      });
    });

    it('refuses what is no access token, or a changed one', async () => {
      const [header, payload, signature] = plain.access.split('.') as [string, string, string];
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
      const promoted = JSON.stringify({ ...claims, roles: ['admin'] });
      const unsigned = JSON.stringify({ alg: 'none', typ: 'at+jwt' });
      const encode = (text: string) => Buffer.from(text).toString('base64url');
      for (const token of [
        plain.refresh,
        'a.b.c',
        [header, encode(promoted), signature].join('.'),
        [encode(unsigned), encode(promoted), ''].join('.'),
      ]) {
        const refused = await ask('/admin/report', `Bearer ${token}`);
        expect(refused, token).toMatchObject({ status: 401 });
        expect(refused.challenge).toMatch(/^Bearer/);
      }
      expect((await ask('/orders', `Basic ${plain.access}`)).status).toBe(401);
    });

    // Each fails when the page leaves out one rule of its verification.
    it("refuses what Latchkey's own key has signed for another purpose", async () => {
      const past = Math.floor(Date.now() / 1000) - 60;
      const like = (claims: Record<string, unknown>, typ?: string) =>
        world.signAgain(plain.access, claims, typ);
      expect(await statusOf(await like({}))).toBe(200);
      expect(await statusOf(await like({}, 'JWT'))).toBe(401);
      expect(await statusOf(await like({ iss: 'https://auth.elsewhere.example' }))).toBe(401);
      expect(await statusOf(await like({ exp: past }))).toBe(401);
      expect(await statusOf(await like({ exp: undefined }))).toBe(401);
      expect(await statusOf(await like({ nbf: past + 3600 }))).toBe(401);
    });

    it('answers tokens of the next key without delay, and those of the last one', async () => {
      await world.rotateKeys();
      const next = await world.newLogin();
      expect(await statusOf(next.access)).toBe(200);
      expect(await statusOf(plain.access)).toBe(200);
    });

    if (logout.when === 'at once') {
      it('refuses a token at once after the logout', async () => {
        const login = await world.newLogin();
        expect(await statusOf(login.access)).toBe(200);
        await world.logOut(login);
        expect(await statusOf(login.access)).toBe(401);
      });

      it('asks for a new token when a role was granted or revoked', async () => {
        const login = await world.newLogin();
        await world.changeRole('PUT', login);
        expect(await statusOf(login.access)).toBe(200);
        expect(await statusOf(login.access, '/admin/report')).toBe(401);
        const admin = await world.newLogin({ role: 'admin' });
        await world.changeRole('DELETE', admin);
        expect(await statusOf(admin.access)).toBe(401);
      });

      it('refuses the tokens of a revoked key at once, and answers those of the next', async () => {
        const login = await world.newLogin();
        await world.revokeKeyOf(login);
        expect(await statusOf(login.access)).toBe(401);
        plain = await world.newLogin();
        expect(await statusOf(plain.access)).toBe(200);
      });
    }

    if (logout.when === 'in seconds') {
      it(`refuses a token ${logout.seconds} seconds after the logout`, async () => {
        const login = await world.newLogin();
        expect(await statusOf(login.access)).toBe(200);
        const loggedOutAt = Date.now();
        await world.logOut(login);
        let lastAcceptedAt = loggedOutAt;
        const asked = async () => {
          const sentAt = Date.now();
          const status = await statusOf(login.access);
          if (status === 200) lastAcceptedAt = sentAt;
          return status;
        };
        await expect.poll(asked, { interval: 100 }).toBe(401);
        expect(lastAcceptedAt - loggedOutAt).toBeLessThan(logout.seconds * 1000);
      });
    }

    if (logout.when === 'at its end') {
      // Fails when the leeway is wider than the page says, or the service does hear of logouts.
      it('answers a logged-out token until its end, and then no more', async () => {
        const login = await world.newLogin();
        await world.logOut(login);
        expect(await statusOf(login.access)).toBe(200);
        const exp = Math.floor(Date.now() / 1000) - logout.leewaySeconds - 1;
        expect(await statusOf(await world.signAgain(login.access, { exp }))).toBe(401);
      });
    }

    // The last one: nothing is repaired.
    it('lets nobody in by an outage', async () => {
      const unseen = await world.newLogin();
      expect(await statusOf(plain.access)).toBe(200);
      await world.network.close();
      expect(outage.known).toContain(await statusOf(plain.access));
      expect(outage.unknown).toContain(await statusOf(unseen.access));
      expect([401, ...outage.unknown]).toContain(await statusOf('a.b.c'));
      expect((await ask('/orders')).status).toBeGreaterThanOrEqual(401);
    });
  });
}
