import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiRoute } from '../../../src/api/http/openapi.ts';
import type { Route } from '../../../src/api/http/route.ts';
import { docsRoutes } from '../../../src/api/pages/docs-page.ts';
import { allRoutes } from '../../../src/api/routes/all.ts';
import type { ReadinessProbe } from '../../../src/node/readiness.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
let routes: Route[];
beforeAll(async () => {
  api = await startTestApi();
  const mounted = allRoutes(api.node, {} as ReadinessProbe);
  routes = [
    ...mounted,
    ...docsRoutes(),
    openApiRoute(() => mounted, { issuer: '', version: '', fieldDescriptions: {} }),
  ];
});
afterAll(() => api.stop());

const headers = [
  'Bearer',
  'Bearer ',
  'Bearer a b',
  'Bearer undefined',
  `Bearer ${'a'.repeat(9000)}`,
];

const send = async ({ method, path }: Route, authorization?: string) => {
  const response = await fetch(api.url + path.replace(/\{\w+\}/g, 'x'), {
    method: method.toUpperCase(),
    ...(authorization === undefined ? {} : { headers: { authorization } }),
  });
  await response.arrayBuffer();
  return response.status;
};

describe('an endpoint that needs no bearer', () => {
  // Fails when `runRoute` reads the Authorization header of such a route.
  it('D1: answers the same whatever stands in the Authorization header', async () => {
    const open = routes.filter(({ auth }) => auth.kind === 'none' || auth.kind === 'optional');
    expect(open.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/auth/login', '/auth/register', '/auth/jwks', '/healthz', '/docs']),
    );
    for (const route of open) {
      const without = await send(route);
      for (const header of headers) {
        const what = `${route.method} ${route.path} ${header.slice(0, 20)}`;
        expect(await send(route, header), what).toBe(without);
      }
    }
  });

  it.each(headers)('D1: a user registers, logs in and refreshes with %s', async (authorization) => {
    const email = anEmail();
    const call = (path: string, body: object) =>
      api.call('POST', path, { body, headers: { authorization } });
    const registered = await call('/auth/register', { email, password: testPassword });
    expect(registered.status).toBe(201);
    const loggedIn = await call('/auth/login', { email, password: testPassword });
    expect(loggedIn.status).toBe(200);
    const { refresh_token } = loggedIn.body;
    expect((await call('/auth/refresh', { refresh_token })).status).toBe(200);
    expect((await call('/auth/logout', { refresh_token })).status).toBe(204);
  });
});

describe('an endpoint that needs a bearer', () => {
  it('D1: takes a malformed one for a refused token', async () => {
    const guarded = routes.filter(({ auth }) => auth.kind === 'bearer');
    expect(guarded.length).toBeGreaterThan(20);
    for (const route of guarded.filter(({ method }) => method !== 'all')) {
      for (const header of headers) {
        expect(await send(route, header), `${route.method} ${route.path}`).toBe(401);
      }
    }
  });
});
