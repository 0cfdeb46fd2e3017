import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountedPaths, type Route } from '../../../src/api/http/route.ts';
import { allRoutes } from '../../../src/api/routes/all.ts';
import type { ReadinessProbe } from '../../../src/node/readiness.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { boundSession, TestDevice } from '../../support/dpop.ts';

let api: TestApi;
let routes: Route[];
let token: string;
beforeAll(async () => {
  api = await startTestApi();
  routes = allRoutes(api.node, {} as ReadinessProbe);
  token = (await boundSession(api)).tokens.access_token;
});
afterAll(() => api.stop());

/** Every method and address of a route that takes an access token. */
function addressesOf({ method, path }: Route): [string, string][] {
  const methods = method === 'all' ? ['GET', 'POST', 'DELETE'] : [method.toUpperCase()];
  const filled = path.replace(/\{\w+\*?\}/g, '01a200e3-dd34-746b-8d5c-0123456789ab');
  return methods.flatMap((each) =>
    mountedPaths(filled).map((mounted): [string, string] => [each, mounted]),
  );
}

async function refusalOf(method: string, path: string, headers: Record<string, string>) {
  const answer = await fetch(api.url + path, { method, headers });
  const body = (await answer.json().catch(() => ({}))) as { code?: string };
  return [answer.status, body.code];
}

describe('a bound access token without a proof', () => {
  // The routes are those that are declared: a new one that takes an access token cannot forget it.
  it('is refused as a bearer by every route that takes one (RFC 9449 section 7.2)', async () => {
    const taking = routes.filter(({ auth }) => auth.kind === 'bearer');
    expect(taking.length).toBeGreaterThan(20);
    expect(taking.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/auth/verify', '/auth/forward', '/auth/me', '/admin/users']),
    );
    for (const [method, path] of taking.flatMap(addressesOf)) {
      const bearer = await refusalOf(method, path, { authorization: `Bearer ${token}` });
      expect(bearer, `${method} ${path}`).toEqual([401, 'invalid_token']);
      const bare = await refusalOf(method, path, { authorization: `DPoP ${token}` });
      expect(bare, `${method} ${path}`).toEqual([401, 'invalid_dpop_proof']);
    }
  });

  it('is no credential where a route takes one among others', async () => {
    const optional = routes.filter(({ auth }) => auth.kind === 'optional');
    expect(optional.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/auth/logout', '/auth/refresh']),
    );
    for (const [method, path] of optional.flatMap(addressesOf)) {
      const headers = { authorization: `Bearer ${token}` };
      const [status] = await refusalOf(method, path, headers);
      expect([400, 401, 415], `${method} ${path}`).toContain(status);
    }
  });

  it('is refused beside the proof of another key, in every way that a gateway asks', async () => {
    const thief = new TestDevice();
    for (const path of ['/auth/verify', '/auth/verify/a', '/auth/forward', '/api/auth/forward/b']) {
      const dpop = thief.proof('GET', `http://latchkey.test${path}`);
      for (const scheme of ['Bearer', 'DPoP']) {
        const [status] = await refusalOf('GET', path, {
          authorization: `${scheme} ${token}`,
          dpop,
        });
        expect(status, `${scheme} ${path}`).toBe(401);
      }
    }
  });
});
