import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApiDocument, openApiRoute } from '../../../src/api/http/openapi.ts';
import { reply } from '../../../src/api/http/reply.ts';
import { type Route, route } from '../../../src/api/http/route.ts';
import { docsRoutes } from '../../../src/api/pages/docs-page.ts';
import { deviceSchema, tokenSetSchema } from '../../../src/api/routes/schemas.ts';
import { startTestApp } from './test-app.ts';
import { responseValidator } from './validate-response.ts';

const info = { issuer: 'https://auth.example', version: '1.2.3', fieldDescriptions: {} };
const user = {
  id: 'u1',
  email: 'a@b.example',
  email_verified: false,
  roles: [],
  created_at: '2026-01-02T03:04:05.678Z',
  disabled: false,
};
const session = {
  id: 's1',
  device: { type: 'web', name: 'Firefox' },
  created_at: '2026-01-02T03:04:05Z',
  last_refreshed_at: '2026-01-02T03:04:05Z',
  expires_at: '2026-01-09T03:04:05Z',
  ip: '192.0.2.1',
  user_agent: 'x',
  amr: ['pwd'],
  current: true,
};
const tokenSet = { token_type: 'Bearer', access_token: 't', expires_in: 900, session, user };

const routes: Route[] = [
  route({
    method: 'post',
    path: '/auth/login',
    summary: 'Log in',
    tags: ['sessions'],
    auth: 'none',
    body: z.strictObject({ email: z.string(), device: deviceSchema.optional() }),
    errors: ['invalid_credentials', 'rate_limited'],
    responses: { 200: { description: 'A session begins', schema: tokenSetSchema } },
    handler: () => reply(200, tokenSet),
  }),
  route({
    method: 'delete',
    path: '/auth/sessions/{id}',
    summary: 'End one session',
    tags: ['sessions'],
    auth: 'bearer',
    query: z.object({ wait: z.enum(['true', 'false']).optional() }),
    errors: ['not_found'],
    responses: { 204: { description: 'It has ended' } },
    handler: () => reply(204),
  }),
  route({
    method: 'all',
    path: '/auth/verify/{rest*}',
    summary: 'Verify',
    tags: ['gateways'],
    auth: 'bearer',
    responses: { 204: { description: 'Good' } },
    handler: () => reply(204),
  }),
  route({
    method: 'post',
    path: '/oauth2/introspect',
    summary: 'Introspect',
    tags: ['gateways'],
    auth: 'client',
    body: z.object({ token: z.string() }),
    responses: { 200: { description: 'Claims' } },
    handler: () => reply(200),
  }),
  ...docsRoutes(),
];
routes.push(openApiRoute(() => routes, info));

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean }[];
  security?: object[];
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

let app: Awaited<ReturnType<typeof startTestApp>>;
let document: {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
};
beforeAll(async () => {
  app = await startTestApp(routes);
  document = (await (await fetch(`${app.url}/openapi.json`)).json()) as typeof document;
});
afterAll(() => app.drain(1000));

describe('the OpenAPI document', () => {
  it('holds exactly the mounted routes, with the second name of those under /auth', () => {
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(documented.sort()).toEqual([
      'delete /api/auth/sessions/{id}',
      'delete /auth/sessions/{id}',
      'get /api/auth/verify/{rest}',
      'get /auth/verify/{rest}',
      'get /docs',
      'get /docs/{file}',
      'get /openapi.json',
      'post /api/auth/login',
      'post /auth/login',
      'post /oauth2/introspect',
    ]);
  });

  it('and the application know the same: no documented operation is 404 or 405', async () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const method of Object.keys(methods)) {
        const url = app.url + path.replaceAll(/\{\w+\}/g, 'x');
        const response = await fetch(url, { method: method.toUpperCase() });
        const isMissing = methods[method]!.responses['404'] === undefined;
        expect(isMissing ? [404, 405] : [405], `${method} ${path}`).not.toContain(response.status);
      }
    }
  });

  it('is valid in the points that generators trip over: unique ids, resolvable references', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g);
    for (const [, reference] of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(reference!)?.[1];
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
    expect(JSON.stringify(document)).not.toContain('$defs');
  });

  it('describes credentials, parameters, bodies and errors as the routes declare them', () => {
    const login = document.paths['/auth/login']!.post!;
    expect(login.security).toBeUndefined();
    expect(login.requestBody!.content['application/json']!.schema).toMatchObject({
      additionalProperties: false,
      required: ['email'],
    });
    expect(Object.keys(login.responses)).toEqual([
      '200',
      '400',
      '401',
      '413',
      '415',
      '429',
      '500',
      '503',
    ]);
    expect(login.responses['200']!.content!['application/json']!.schema).toEqual({
      $ref: '#/components/schemas/TokenSet',
    });
    const end = document.paths['/auth/sessions/{id}']!.delete!;
    expect(end.security).toEqual([{ bearer: [] }]);
    expect(end.parameters).toMatchObject([
      { name: 'id', in: 'path', required: true },
      { name: 'wait', in: 'query', required: false },
    ]);
    const introspect = document.paths['/oauth2/introspect']!.post!;
    expect(Object.keys(introspect.requestBody!.content)).toEqual([
      'application/x-www-form-urlencoded',
    ]);
    expect(introspect.responses['401']!.content).toHaveProperty(['application/json']);
  });

  it('is the same for the same routes', () => {
    expect(openApiDocument(routes, info)).toEqual(openApiDocument(routes, info));
  });
});

describe('a document that never changes', () => {
  // Fails when an answer makes its own copy: a client that reads none holds as many as it asks for.
  it.each(['/openapi.json', '/docs'])(
    'C1: %s has an ETag, is 304 and answers HEAD',
    async (path) => {
      const plain = { 'accept-encoding': 'identity' };
      const whole = await fetch(app.url + path, { headers: plain });
      const length = Buffer.byteLength(await whole.text());
      const etag = whole.headers.get('etag')!;
      expect(etag).toMatch(/^"[\w-]{43}"$/);
      for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const again = await fetch(app.url + path, {
          headers: { ...plain, 'if-none-match': tag },
        });
        expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([
          304,
          etag,
          '',
        ]);
      }
      const other = await fetch(app.url + path, {
        headers: { ...plain, 'if-none-match': '"x"' },
      });
      expect([other.status, Buffer.byteLength(await other.text())]).toEqual([200, length]);
      const head = await fetch(app.url + path, { method: 'HEAD', headers: plain });
      expect(head.headers.get('content-length')).toBe(String(length));
      expect(await head.text()).toBe('');
    },
  );

  it('C1: is one Buffer for every answer', async () => {
    const page = await (await fetch(`${app.url}/docs`)).text();
    const file = /"\/docs\/(page\.\w+\.js)"/.exec(page)![1];
    const request = { headers: {}, params: { file } } as never;
    for (const { path, handler } of routes.filter(({ tags }) => tags.includes('Operation'))) {
      const [one, two] = [await handler(request), await handler(request)];
      expect(Buffer.isBuffer(one.body), path).toBe(true);
      expect(two.body, path).toBe(one.body);
    }
  });
});

describe('checking answers against the declarations', () => {
  const validate = responseValidator(routes);

  it('accepts what fits', () => {
    validate('POST', '/api/auth/login', 200, tokenSet);
    validate('DELETE', '/auth/sessions/1?wait=true', 204);
  });

  it.each([
    ['a field too few', 'POST', '/auth/login', 200, { ...tokenSet, session: {} }],
    ['a field too many', 'POST', '/auth/login', 200, { ...tokenSet, password_hash: 'x' }],
    ['an undeclared status', 'POST', '/auth/login', 409, {}],
    ['a refusal that is no problem document', 'POST', '/auth/login', 401, { error: 'no' }],
    ['an unknown path', 'GET', '/auth/nowhere', 200, {}],
    ['a body where none is declared', 'DELETE', '/auth/sessions/1', 204, { ended: 1 }],
  ])('refuses %s', (_, method, path, status, body) => {
    expect(() => validate(method, path, status, body)).toThrow();
  });
});
