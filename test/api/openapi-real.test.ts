import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountedPaths } from '../../src/api/http/route.ts';
import { allRoutes } from '../../src/api/routes/all.ts';
import type { ReadinessProbe } from '../../src/node/readiness.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
type Paths = Record<string, Record<string, { responses: Record<string, unknown> }>>;
let paths: Paths;
beforeAll(async () => {
  api = await startTestApi();
  const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as { paths: Paths };
  paths = document.paths;
});
afterAll(() => api.stop());

const documented = () =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );

describe('the OpenAPI document of the running service', () => {
  // Fails when a route is mounted without being declared, or declared and left out of the document.
  it('holds every declared route, and those of the fast lane', () => {
    const declared = allRoutes(api.node, {} as ReadinessProbe).flatMap(({ method, path }) =>
      mountedPaths(path).map(
        (each) => `${method === 'all' ? 'get' : method} ${each.replace('*}', '}')}`,
      ),
    );
    expect(documented()).toEqual(expect.arrayContaining(declared));
    expect(declared.length).toBeGreaterThan(40);
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['/auth/verify', '/api/auth/verify', '/oauth2/introspect']),
    );
  });

  it('documents nothing that is not there', async () => {
    for (const operation of documented()) {
      const [method, path] = operation.split(' ') as [string, string];
      const url = api.url + path.replaceAll(/\{\w+\}/g, 'x');
      const response = await fetch(url, { method: method.toUpperCase() });
      const body = await response.text();
      expect(response.status, operation).not.toBe(405);
      // A bad id is a 404 as well: it names the code of the declared routes and no other.
      if (response.status === 404)
        expect(paths[path]![method]!.responses, body).toHaveProperty('404');
    }
  });

  it('holds all that the contract promises to clients, gateways and administrators', () => {
    expect(documented()).toEqual(
      expect.arrayContaining([
        'post /auth/register',
        'post /auth/login',
        'post /auth/refresh',
        'post /auth/logout',
        'post /auth/logout-all',
        'get /auth/sessions',
        'delete /auth/sessions/{id}',
        'get /auth/me',
        'patch /auth/me',
        'post /auth/password',
        'get /auth/verify',
        'post /oauth2/introspect',
        'post /oauth2/revoke',
        'get /.well-known/jwks.json',
        'get /auth/jwks',
        'get /api/protected',
        'get /api/admin/dashboard',
        'get /admin/users',
        'post /admin/users',
        'post /admin/invites',
        'post /admin/users/{id}/disable',
        'post /admin/users/{id}/enable',
        'put /admin/users/{id}/roles/{role}',
        'delete /admin/users/{id}/roles/{role}',
        'get /admin/users/{id}/sessions',
        'delete /admin/sessions/{id}',
        'post /admin/clients',
        'get /admin/clients/{id}',
        'delete /admin/clients/{id}',
        'post /admin/clients/{id}/secret',
        'get /admin/keys',
        'post /admin/keys/rotate',
        'post /admin/keys/{kid}/revoke',
        'get /healthz',
        'get /readyz',
        'get /readyz/verify',
        'get /docs',
        'get /openapi.json',
      ]),
    );
  });
});
