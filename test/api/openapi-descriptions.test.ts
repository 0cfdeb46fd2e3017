import { METHODS } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { openApiDocument } from '../../src/api/http/openapi.ts';
import type { Route } from '../../src/api/http/route.ts';
import { mailLinkRoutes } from '../../src/api/pages/mail-link-page.ts';
import { allRoutes } from '../../src/api/routes/all.ts';
import { documentWords } from '../../src/api/routes/document-words.ts';
import type { ReadinessProbe } from '../../src/node/readiness.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let routes: Route[];
let token: string;
// biome-ignore lint/suspicious/noExplicitAny: the document is data here
let document: any;
beforeAll(async () => {
  api = await startTestApi();
  token = (await api.admin()).access_token;
  routes = allRoutes(api.node, {} as ReadinessProbe);
  document = openApiDocument(routes, {
    issuer: 'https://auth.example',
    version: '1',
    ...documentWords,
  });
});
afterAll(() => api.stop());

/** Each field of a schema and each parameter below `node` that nobody described. */
function undescribed(node: unknown, where: string): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { properties, name, in: place, description } = node as Record<string, unknown>;
  const fields = Object.entries(isObject(properties) ? properties : {})
    .filter(([, field]) => isObject(field) && !('description' in field) && !('$ref' in field))
    .map(([field]) => `${where} ${field}`);
  const isParameter = typeof name === 'string' && typeof place === 'string';
  const parameters = isParameter && description === undefined ? [`${where} ${name}`] : [];
  const below = Object.entries(node).flatMap(([key, value]) =>
    undescribed(value, `${where}/${key}`),
  );
  return [...fields, ...parameters, ...below];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

describe('the OpenAPI document', () => {
  it('C12: describes every field and every parameter', () => {
    const planted = { properties: { a: { type: 'string' } }, name: 'b', in: 'query' };
    expect(undescribed(planted, '')).toEqual([' a', ' b']);
    expect(undescribed(document, '')).toEqual([]);
  });

  // Fails when fields that share a schema are all described as the first of them.
  it('C12: says of each field what its own name means', () => {
    const fieldsOf = (path: string, method: string) =>
      document.paths[path][method].requestBody.content['application/json'].schema.properties;
    expect(fieldsOf('/auth/password/reset', 'post').new_password.description).toMatch(
      /^The next password/,
    );
    expect(fieldsOf('/auth/me', 'patch').phone_number.description).toMatch(/^A phone number/);
  });

  it('C12: describes every group, and gives every body an example', () => {
    for (const { name, description } of document.tags) expect(description, name).toBeTruthy();
    const bodies = routes.filter(({ body }) => body !== undefined);
    for (const { path, method, body } of bodies) {
      const [{ example }] = Object.values<{ example: unknown }>(
        document.paths[path][method].requestBody.content,
      ) as [{ example: unknown }];
      expect(example, path).not.toEqual({});
      expect(body!.safeParse(example).error?.issues, path).toBeUndefined();
    }
  });

  // A handler sees the header where its route declares it, and there a malformed one is refused.
  it('C12: names Idempotency-Key wherever it is read, and nowhere else', async () => {
    const named = routes.filter(({ idempotent }) => idempotent === true);
    expect(named.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/auth/register', '/auth/refresh', '/admin/users', '/admin/clients']),
    );
    for (const route of routes.filter(({ method }) => method !== 'all')) {
      const { parameters = [] } = document.paths[route.path.replace('*}', '}')][route.method];
      const isNamed = parameters.some(({ name }: { name: string }) => name === 'Idempotency-Key');
      expect(isNamed, `${route.method} ${route.path}`).toBe(named.includes(route));
    }
    const headers = { 'idempotency-key': 'two words' };
    const invite = (key: Record<string, string>) =>
      api.call('POST', '/admin/invites', { token, headers: key });
    expect((await invite({})).status).toBe(201);
    expect(await invite(headers)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'Idempotency-Key' }] },
    });
    expect((await api.call('GET', '/auth/me', { token, headers })).status).toBe(200);
  });

  it('C12: names the refresh cookie as a credential, and the headers that gateways copy', () => {
    const { refresh_cookie } = document.components.securitySchemes;
    expect(refresh_cookie).toMatchObject({ in: 'cookie', name: '__Host-latchkey_refresh' });
    for (const path of ['/auth/refresh', '/auth/logout']) {
      expect(document.paths[path].post.security).toContainEqual({ refresh_cookie: [] });
    }
    for (const path of ['/auth/verify', '/auth/forward/{rest}']) {
      expect(Object.keys(document.paths[path].get.responses['204'].headers)).toEqual([
        'X-Auth-Subject',
        'X-Auth-Session',
        'X-Auth-Roles',
        'X-Auth-Device-Type',
      ]);
    }
  });
});

describe('a declared path', () => {
  // Fails when a route leaves out its `params`: what stands in its braces would reach the database.
  it('names in braces exactly what its route declares', () => {
    for (const { path, params } of routes) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = params === undefined ? [] : Object.keys((params as z.ZodObject).shape);
      expect(declared, path).toEqual(named);
    }
  });

  // CONNECT asks for a tunnel: Node closes it. `fetch` sends no TRACE.
  const methods = METHODS.filter((method) => method !== 'CONNECT' && method !== 'TRACE');

  it('C12: answers each method that it has not with 405 and Allow, OPTIONS with 204', async () => {
    const byPath = Map.groupBy([...routes, ...mailLinkRoutes()], ({ path }) => path);
    for (const [path, declared] of byPath) {
      if (declared.some(({ method }) => method === 'all')) continue;
      const has: string[] = declared.map(({ method }) => method.toUpperCase());
      if (has.includes('GET')) has.push('HEAD');
      for (const method of methods.filter((each) => !has.includes(each))) {
        const url = api.url + path.replace(/\{\w+\}/g, 'x');
        const response = await fetch(url, { method });
        await response.arrayBuffer();
        const what = `${method} ${path}`;
        expect(response.status, what).toBe(method === 'OPTIONS' ? 204 : 405);
        const allowed = response.headers.get('allow')?.split(', ') ?? [];
        expect(allowed.toSorted(), what).toEqual([...has, 'OPTIONS'].toSorted());
      }
    }
  }, 120_000);
});
