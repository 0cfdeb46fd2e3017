import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oauthErrorSchema, problemSchema } from '../../src/api/http/error-schemas.ts';
import { allRoutes } from '../../src/api/routes/all.ts';
import type { ReadinessProbe } from '../../src/node/readiness.ts';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { documentedOperations, type Operation } from '../support/documented-operations.ts';
import { responseValidator } from './http/validate-response.ts';

let api: TestApi;
let operations: Operation[];
let validate: ReturnType<typeof responseValidator>;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0', DEVICE_POLICY_SERVICE: 'unlimited' });
  operations = await documentedOperations(api.url);
  validate = responseValidator(allRoutes(api.node, {} as ReadinessProbe));
});
afterAll(() => api.stop());

const unknownId = '01900000-0000-7000-8000-000000000000';
/** These take any method and any path below. */
const isForGateways = (path: string) => /^\/auth\/(verify|forward)/.test(path);
const inPath = (path: string, value = unknownId) => path.replace(/\{\w+\}/g, value);
const adminToken = async () => (await api.admin()).access_token as string;

/** Sends anything, and asserts what every answer owes: declared, typed, no 500, no stack, no echo of secrets. */
async function send(path: string, init: RequestInit, declared = true) {
  const response = await fetch(api.url + path, { redirect: 'manual', ...init });
  const text = await response.text();
  const what = `${init.method} ${path} ${String(init.body).slice(0, 60)} -> ${response.status} ${text}`;
  expect(response.status, what).toBeLessThan(500);
  expect(text, what).not.toMatch(
    /\.ts:\d+|node_modules|node:internal|\bat .+:\d+:\d+|syntax error/,
  );
  if (response.status >= 400 && text !== '') {
    const isOAuth = path.startsWith('/oauth2/');
    expect(response.headers.get('content-type'), what).toMatch(
      isOAuth ? /^application\/json/ : /^application\/problem\+json/,
    );
    (isOAuth ? oauthErrorSchema : problemSchema).parse(JSON.parse(text));
  }
  if (declared && response.headers.get('content-type')?.includes('json')) {
    validate(init.method!, path, response.status, JSON.parse(text));
  }
  return { status: response.status, text };
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
const brokenBodies: [string, string | Uint8Array<ArrayBuffer>][] = [
  ['half an object', '{"email":'],
  ['null', 'null'],
  ['a list', '[]'],
  ['a string', '"x"'],
  ['NUL in a string', '{"email":"a\\u0000b","password":"x"}'],
  ['NUL in a name', '{"a\\u0000":1}'],
  ['a NUL byte', '{"email":"a\0b"}'],
  ['a lone surrogate', '{"email":"\\ud800"}'],
  ['no UTF-8', bytes('{"email":"\xff\xfe"}')],
  ['an overlong UTF-8 form', bytes('{"email":"\xc0\xaf"}')],
  ['a byte order mark', '\ufeff{}'],
  ['an unknown field', '{"unknown":1}'],
  ['a name twice', '{"email":"a","email":"b"}'],
  ['__proto__', '{"__proto__":{"roles":["latchkey:admin"]}}'],
  ['constructor', '{"constructor":{"prototype":{"roles":["latchkey:admin"]}}}'],
  ['lists 7,000 deep', '['.repeat(7000) + ']'.repeat(7000)],
  ['objects 2,500 deep', `${'{"a":'.repeat(2500)}1${'}'.repeat(2500)}`],
  ['16 KiB and more', JSON.stringify({ email: 'x'.repeat(17_000) })],
  ['a number that is none', '{"email":NaN}'],
];

describe('a request body', () => {
  // Fails when a schema is not strict, or a body is parsed leniently.
  it.each(brokenBodies)('%s is a 4xx of every operation that takes one', async (_, body) => {
    const authorization = `Bearer ${await adminToken()}`;
    for (const { method, path, hasBody, isForm } of operations) {
      if (!hasBody || isForm) continue;
      const headers = { 'content-type': 'application/json', authorization };
      const { status } = await send(inPath(path), { method, body, headers });
      expect(status, path).toBeGreaterThanOrEqual(400);
    }
  });

  // Fails when the one rule that refuses it goes: each of these would be a well-formed login.
  it.each([
    ['NUL in another field', '{"email":"a","password":"x","device_token":"a\\u0000b"}'],
    [
      'a lone surrogate in another',
      '{"email":"a","password":"x","device":{"type":"web","name":"\\ud800"}}',
    ],
    ['NUL in a name of a field', '{"email":"a","password":"x","a\\u0000":1}'],
    ['a name twice', '{"email":"a","email":"b","password":"x"}'],
    ['no UTF-8', bytes('{"email":"\xff","password":"x"}')],
    ['__proto__', '{"email":"a","password":"x","__proto__":{}}'],
    ['an unknown field', '{"email":"a","password":"x","roles":[]}'],
  ])('with %s is a 400, not an attempt to log in', async (_, body) => {
    const headers = { 'content-type': 'application/json' };
    const { status, text } = await send('/auth/login', { method: 'POST', body, headers });
    expect(status).toBe(400);
    expect(JSON.parse(text).code).toBe('invalid_request');
  });

  it.each([
    ['text/plain', 415],
    ['application/xml', 415],
    ['application/json; charset=latin1', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonp', 415],
  ])('of type %s is a %i', async (type, expected) => {
    const authorization = `Bearer ${await adminToken()}`;
    for (const { method, path, hasBody, isForm } of operations) {
      if (!hasBody || isForm) continue;
      const headers = { 'content-type': type, authorization };
      const { status } = await send(inPath(path), { method, body: '{}', headers });
      // An id that nobody has is refused before its body is read.
      expect([expected, 404], path).toContain(status);
    }
  });

  it('that is compressed is a 415', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const { status } = await send('/auth/login', { method: 'POST', body: '{}', headers });
    expect(status).toBe(415);
  });

  it('as a form: repeated, broken and missing parameters are 4xx', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const { method, path } of operations.filter(({ isForm }) => isForm)) {
      for (const body of [
        '',
        'token=a&token=b',
        'token=%ff',
        'token=%00',
        '&&&',
        '=',
        'x'.repeat(17_000),
      ]) {
        const { status } = await send(inPath(path), { method, body, headers: type });
        expect(status, `${path} ${body.slice(0, 20)}`).toBeGreaterThanOrEqual(400);
      }
      const json = { 'content-type': 'application/json' };
      const { status } = await send(inPath(path), { method, body: '{}', headers: json });
      expect(status).toBe(415);
    }
  });
});

describe('a path, a method and a query', () => {
  it('with an id that we never gave out is a 4xx', async () => {
    const token = await adminToken();
    const ids = [
      'x',
      '%00',
      '%ff',
      '%2e%2e%2f',
      "1'%20or%201=1",
      'a'.repeat(3000),
      '-1',
      '🗝',
      '__proto__',
    ];
    for (const { method, path } of operations) {
      if (!path.includes('{') || isForGateways(path)) continue;
      for (const id of ids) {
        const headers = { authorization: `Bearer ${token}` };
        const { status } = await send(inPath(path, id), { method, headers }, false);
        expect(status, `${method} ${inPath(path, id)}`).toBeGreaterThanOrEqual(400);
      }
    }
  });

  it('with another method is a 405 that names the right ones', async () => {
    for (const { path } of operations) {
      if (isForGateways(path)) continue;
      const response = await fetch(api.url + inPath(path), { method: 'PROPFIND' });
      expect(response.status, path).toBe(405);
      expect(response.headers.get('allow'), path).toMatch(/GET|POST|PUT|PATCH|DELETE/);
      problemOrOAuth(path, await response.json());
    }
  });

  it('with a query of nonsense is never a 500', async () => {
    const token = await adminToken();
    const queries = [
      'limit=x',
      'limit=-1',
      'limit=1e99',
      'limit=',
      'cursor=%00',
      'cursor=x',
      'cursor=e30',
      'cursor=eyJhIjoxfQ',
      'email=%00',
      'email=%ff',
      'email=a&email=b',
      'wait=x',
      '=',
      '&&',
      '%',
      '__proto__=1',
    ];
    for (const { method, path } of operations) {
      if (method !== 'GET') continue;
      for (const query of queries) {
        const headers = { authorization: `Bearer ${token}` };
        await send(`${inPath(path)}?${query}`, { method, headers }, false);
      }
    }
  });

  it('that nothing answers is a 404 problem', async () => {
    for (const path of [
      '/nothing',
      '/auth',
      '/auth/login/x',
      '/AUTH/LOGIN',
      '/api/admin/users',
      '//',
      '/%2e',
    ]) {
      const { status } = await send(path, { method: 'GET' }, false);
      expect([404, 405], path).toContain(status);
    }
  });
});

describe('a header', () => {
  it('beyond 16 KiB is a 431 problem', async () => {
    const response = await fetch(`${api.url}/healthz`, {
      headers: { 'x-big': 'x'.repeat(17_000) },
    });
    expect(response.status).toBe(431);
    expect(problemSchema.parse(await response.json()).code).toBe('invalid_request');
  });

  it.each([
    'Bearer',
    'Bearer \tx',
    'Basic !!!',
    'Basic eA==',
    'Digest x',
    `Bearer ${'x'.repeat(9000)}`,
  ])('authorization: %s is a 4xx wherever a credential is needed', async (authorization) => {
    for (const path of ['/auth/sessions', '/admin/users', '/auth/me', '/admin/keys']) {
      const { status } = await send(path, { method: 'GET', headers: { authorization } });
      expect(status, path).toBe(401);
    }
  });
});

describe('any JSON at all', () => {
  it('sent to any operation is answered as declared, never with a 500', async () => {
    const targets = operations.filter(
      ({ hasBody, isForm, path }) => hasBody && !isForm && path !== '/admin/keys/rotate',
    );
    const authorization = `Bearer ${await adminToken()}`;
    const good = ['web', 'x@example.com', testPassword, unknownId, true, {}];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...targets),
        fc.array(
          fc.oneof(
            fc.jsonValue(),
            fc.string({ unit: 'binary', maxLength: 40 }),
            fc.constantFrom(...good),
          ),
          {
            minLength: 8,
            maxLength: 8,
          },
        ),
        fc.boolean(),
        async ({ method, path, fields }, values, whole) => {
          const body = whole
            ? values[0]
            : Object.fromEntries(fields.map((field, at) => [field, values[at % values.length]]));
          const headers = {
            'content-type': 'application/json',
            ...(path.startsWith('/auth/logout') ? {} : { authorization }),
          };
          await send(inPath(path), { method, headers, body: JSON.stringify(body) });
        },
      ),
      { numRuns: 400 },
    );
  });
});

function problemOrOAuth(path: string, body: unknown): void {
  (path.startsWith('/oauth2/') ? oauthErrorSchema : problemSchema).parse(body);
}
