import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../support/raw-connection.ts';
import { type Gateway, type GatewayOptions, startGateway } from './gateway.ts';
import { type Arrival, startWorld, type World } from './world.ts';

const identity = ['x-auth-subject', 'x-auth-session', 'x-auth-roles', 'x-auth-device-type'];

/** What is said about each gateway: the same tests, whatever stands between. */
export function expectSafeGateway(
  name: string,
  command: GatewayOptions['command'],
  /** Where a role is demanded: below `/admin/` unless the gateway demands it everywhere. */
  adminPaths: readonly string[] = ['/admin/', '/admin'],
): void {
  describe(name, () => {
    let world: World;
    let gateway: Gateway;
    beforeAll(async () => {
      world = await startWorld();
      gateway = await startGateway({ ...world, command });
    }, 120_000);
    afterEach(() => {
      world.repair();
      world.arrivals();
    });
    afterAll(async () => {
      await gateway?.stop();
      await world?.stop();
    });

    const bearer = (who: 'plain' | 'admin') => `Authorization: Bearer ${world[who].token}`;

    /** One request on a connection of its own; the status, and what reached the application. */
    async function ask(line: string, headers: readonly string[] = [], body = '') {
      const connection = await openConnection(gateway.port);
      const length = body === '' ? [] : [`Content-Length: ${body.length}`];
      const all = [`${line} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, ...length];
      connection.send(`${all.join('\r\n')}\r\n\r\n${body}`);
      let answer = await connection.answer(line.split(' ')[0]);
      while (answer?.status === 100) answer = await connection.answer();
      connection.destroy();
      const [arrival, ...others] = world.arrivals();
      expect(others).toEqual([]);
      return { status: answer?.status, header: answer?.header, arrival };
    }
    const valuesOf = (arrival: Arrival | undefined, name: string) =>
      (arrival?.headers ?? []).filter(([each]) => each === name).map(([, value]) => value);
    const identityOf = (arrival: Arrival | undefined) =>
      Object.fromEntries(identity.map((each) => [each, valuesOf(arrival, each)]));

    it('A6: lets a user without roles in, says who it is, and refuses who is nobody', async () => {
      const { status, arrival } = await ask('GET /app', [bearer('plain')]);
      expect(status).toBe(200);
      expect(identityOf(arrival)).toMatchObject({
        'x-auth-subject': [world.plain.id],
        'x-auth-roles': ['-'],
        'x-auth-device-type': ['web'],
      });
      for (const headers of [[], ['Authorization: Bearer a.b.c']]) {
        const refused = await ask('GET /app', headers);
        expect([refused.status, refused.arrival]).toEqual([401, undefined]);
        expect(refused.header?.('www-authenticate')).toMatch(/^Bearer /);
      }
    });

    it.each([
      ['a forged header', ['X-Auth-Roles: admin']],
      ['all of them', identity.map((each) => `${each}: admin`)],
      ['two of one', ['X-Auth-Roles: admin', 'x-auth-roles: admin']],
      [
        'its underscore twin',
        [
          'X_Auth_Roles: admin',
          'X-Auth_Roles: admin',
          'X_Auth-Roles: admin',
          'X_AUTH_SUBJECT: admin',
        ],
      ],
      ['a forged header made hop-by-hop', ['Connection: X-Auth-Roles', 'X-Auth-Roles: admin']],
      ['all made hop-by-hop', [`Connection: close, ${identity.join(', ')}`]],
      ['the authorization made hop-by-hop', ['Connection: Authorization', 'X-Auth-Roles: admin']],
      ['a forged demand', ['X-Auth-Demand: role=', 'X-Auth-Roles: admin']],
    ])('A6: nothing that a client says about itself survives: %s', async (_, headers) => {
      const { arrival } = await ask('GET /app', [bearer('plain'), ...headers]);
      for (const values of Object.values(identityOf(arrival))) {
        expect(values.length).toBeLessThanOrEqual(1);
        expect(values).not.toContain('admin');
      }
      const open = await ask('GET /public/x', headers);
      for (const values of Object.values(identityOf(open.arrival))) expect(values).toEqual([]);
    });

    it.each(['?a=1&a=2', '?q=caf%E9', '?q=100%', '?ids[]=1', '?role=x', '?aud=mobile', '?role='])(
      "A5b: the client's query %s closes no door and opens none",
      async (query) => {
        const { status, arrival } = await ask(`GET /app${query}`, [bearer('plain')]);
        expect([status, arrival?.url]).toEqual([200, `/app${query}`]);
        for (const path of adminPaths) {
          const refused = await ask(`GET ${path}${query}`, [bearer('plain')]);
          expect([refused.status, refused.arrival]).toEqual([403, undefined]);
          expect((await ask(`GET ${path}${query}`, [bearer('admin')])).status).toBe(200);
        }
      },
    );

    it.each([
      ['Connection: X-Auth-Demand'],
      ['X-Auth-Demand: role=nothing'],
      ['Connection: X-Auth-Demand, close', 'X-Auth-Demand: aud=x'],
    ])('A5b: a demand cannot be taken away: %s', async (...headers) => {
      for (const path of adminPaths) {
        expect((await ask(`GET ${path}`, [bearer('plain'), ...headers])).arrival).toBeUndefined();
      }
    });

    it.each([
      '/public/../admin/x',
      '/public/%2e%2e/admin/x',
      '/public/..%2fadmin/x',
      '/public/..%2Fadmin/x',
      '/public//../admin/x',
      '/public/.%2e//admin/x',
      '/public/%2e%2e%2fadmin%2fx',
      '/public/..%5cadmin/x',
      '//admin/x',
      '/./admin/x',
      '/%61dmin/x',
      '/admin%2fx',
      '/admin/./x',
      '/app/..%2fadmin/x',
      '/app/../admin/x',
      '/public/..;/admin/x',
      '/public;/../admin/x',
      '/public/%252e%252e/admin/x',
      '/public/..%252fadmin/x',
    ])('traps: whatever the application makes of %s, the gateway has judged it', async (path) => {
      for (const headers of [[bearer('plain')], []]) {
        const { arrival } = await ask(`GET ${path}`, headers);
        if (arrival === undefined) continue;
        const read = asApplicationsRead(arrival.url);
        expect(read.startsWith('/admin'), `${path} arrived as ${arrival.url}`).toBe(false);
        if (headers.length === 0) expect(read.startsWith('/public/'), arrival.url).toBe(true);
      }
    });

    it('traps: the endpoints for gateways cannot be asked from outside', async () => {
      for (const path of ['/auth/verify', '/auth/verify/x', '/auth/forward', '/api/auth/verify']) {
        const { status } = await ask(`GET ${path}`, [bearer('plain')]);
        expect(status, path).toBe(404);
      }
    });

    it.each([500, 503, 302, 404, 'down'] as const)(
      'traps: a service that answers %s opens nothing',
      async (how) => {
        world.breakDown(how);
        const { status, arrival } = await ask('GET /app', [bearer('admin'), 'X-Auth-Roles: admin']);
        expect(arrival).toBeUndefined();
        expect(status).toBeGreaterThanOrEqual(300);
        world.repair();
        expect((await ask('GET /app', [bearer('plain')])).status).toBe(200);
      },
    );

    it('A7: a body goes to the application whole, and the next request is its own', async () => {
      const body = 'x'.repeat(100_000);
      for (const headers of [[], ['Expect: 100-continue']]) {
        const posted = await ask('POST /app', [bearer('plain'), ...headers], body);
        expect([posted.status, posted.arrival?.bodyBytes]).toEqual([200, body.length]);
        for (const method of ['GET', 'POST', 'DELETE', 'HEAD']) {
          expect((await ask(`${method} /app`, [bearer('plain')])).status).toBe(200);
          expect((await ask(`${method} /app`)).status).toBe(401);
        }
      }
    });
  });
}

/**
 * As a careless application might: decoded twice, backslashes as slashes, without `;parameters`,
 * then without dots.
 */
function asApplicationsRead(url: string): string {
  const decoded = decodeURIComponent(decodeURIComponent(url.split('?')[0]!));
  const path = decoded.replaceAll('\\', '/').replaceAll(/;[^/]*/g, '');
  return new URL(path.replaceAll(/\/+/g, '/'), 'http://x').pathname;
}
