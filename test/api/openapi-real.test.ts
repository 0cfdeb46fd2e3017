import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountedPaths } from '../../src/api/http/route.ts';
import { allRoutes } from '../../src/api/routes/all.ts';
import type { ReadinessProbe } from '../../src/node/readiness.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean }[];
  security?: object[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}
type Paths = Record<string, Record<string, Operation>>;

let api: TestApi;
let document: { paths: Paths; components: { schemas: Record<string, object> } };
let paths: Paths;
beforeAll(async () => {
  api = await startTestApi();
  document = (await (await fetch(`${api.url}/openapi.json`)).json()) as typeof document;
  paths = document.paths;
});
afterAll(() => api.stop());

const documented = () =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );

describe('the OpenAPI document of the running service', () => {
  // Fails when a route is mounted without being declared, or declared and left out of the document.
  it('holds every declared route', () => {
    const declared = allRoutes(api.node, {} as ReadinessProbe).flatMap(({ method, path }) =>
      mountedPaths(path).map(
        (each) => `${method === 'all' ? 'get' : method} ${each.replace('*}', '}')}`,
      ),
    );
    expect(documented()).toEqual(expect.arrayContaining(declared));
    expect(declared.length).toBeGreaterThan(40);
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

  it('is valid in the points that generators trip over: unique ids, resolvable references', () => {
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(10);
    for (const [, reference] of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(reference!)?.[1];
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
    expect(JSON.stringify(document)).not.toContain('$defs');
  });

  it('describes credentials, parameters, bodies and errors as the routes declare them', () => {
    const login = paths['/auth/login']!.post!;
    expect(login.security).toBeUndefined();
    expect(login.requestBody!.content['application/json']!.schema).toMatchObject({
      additionalProperties: false,
      properties: {
        email: {},
        password: {},
        request_id: {},
        otp: {},
        challenge: {},
        totp: {},
        recovery_code: {},
      },
    });
    const statuses = ['200', '400', '401', '403', '413', '415', '429', '500', '503'];
    expect(Object.keys(login.responses)).toEqual(statuses);
    expect(login.responses['200']!.content!['application/json']!.schema).toEqual({
      $ref: '#/components/schemas/TokenSet',
    });
    const end = paths['/auth/sessions/{id}']!.delete!;
    expect(end.security).toEqual([{ bearer: [] }]);
    expect(end.parameters).toMatchObject([{ name: 'id', in: 'path', required: true }]);
    expect(paths['/admin/users']!.get!.parameters).toMatchObject([
      { name: 'email', in: 'query', required: false },
      { name: 'username', in: 'query', required: false },
      { name: 'limit', in: 'query' },
      { name: 'cursor', in: 'query', required: false },
    ]);
    const introspect = paths['/oauth2/introspect']!.post!;
    const form = ['application/x-www-form-urlencoded'];
    expect(Object.keys(introspect.requestBody!.content)).toEqual(form);
    expect(introspect.responses['401']!.content).toHaveProperty(['application/json']);
  });
});
