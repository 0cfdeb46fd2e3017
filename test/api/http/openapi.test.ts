import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiRoute } from '../../../src/api/http/openapi.ts';
import { docsRoutes } from '../../../src/api/pages/docs-page.ts';
import { allRoutes } from '../../../src/api/routes/all.ts';
import type { ReadinessProbe } from '../../../src/node/readiness.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { responseValidator } from './validate-response.ts';

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

let app: TestApi;
let document: {
  paths: Record<string, Record<string, { operationId: string }>>;
  components: { schemas: Record<string, object> };
};
beforeAll(async () => {
  app = await startTestApi();
  document = (await (await fetch(`${app.url}/openapi.json`)).json()) as typeof document;
});
afterAll(() => app.stop());

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
    const info = { issuer: '', version: '', fieldDescriptions: {} };
    for (const { path, handler } of [...docsRoutes(), openApiRoute(() => [], info)]) {
      const [one, two] = [await handler(request), await handler(request)];
      expect(Buffer.isBuffer(one.body), path).toBe(true);
      expect(two.body, path).toBe(one.body);
    }
  });
});

describe('checking answers against the declarations', () => {
  const validate = (method: string, path: string, status: number, body?: unknown) =>
    responseValidator(allRoutes(app.node, {} as ReadinessProbe))(method, path, status, body);

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
