import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemSchema } from '../../../src/api/http/error-schemas.ts';
import { edgeRoutes, problem, startEdge } from './edge.ts';
import { startTestApp } from './test-app.ts';

let edge: Awaited<ReturnType<typeof startEdge>>;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.drain(1000));

describe('a path, a method and a query', () => {
  it.each(['/auth/things/%ff', '/auth/things/%', '/auth/things/a%00b', '/auth/things/a?limit=%zz'])(
    'with broken percent-encoding is 400: %s',
    async (path) => {
      expect(await problem(edge.send(path))).toMatchObject({
        status: 400,
        code: 'invalid_request',
      });
    },
  );

  it('may carry unknown parameters, but none of the wrong shape and none twice', async () => {
    expect((await edge.send('/auth/things/7?limit=5&utm=x')).json()).toMatchObject({
      id: '7',
      limit: 5,
    });
    expect(await problem(edge.send('/auth/things/7?limit=many'))).toMatchObject({
      errors: ['limit'],
    });
    expect((await problem(edge.send('/auth/things/7?limit=1&limit=2'))).status).toBe(400);
  });
});

describe('an id in a path', () => {
  const end = (id: string) =>
    edge.send(`/auth/sessions/${id}`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer good' },
    });

  it('reaches the handler as we hand it out, any other spelling is 404', async () => {
    const id = '019aa8b4-6a55-7d0c-9e0e-3f7d2a1c5b60';
    expect((await end(id)).json()).toEqual({ id });
    for (const other of ['1', id.toUpperCase(), `${id}0`, "1'--", '%F0%9F%94%91']) {
      expect(await problem(end(other))).toMatchObject({ status: 404, code: 'not_found' });
    }
  });
});

describe('what is not quite HTTP', () => {
  it.each([
    ['a request line of noise', 'NOISE\r\n\r\n', 400],
    ['a header without a colon', 'GET /keys HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n', 400],
    ['a space before the colon', 'GET /keys HTTP/1.1\r\nHost : x\r\n\r\n', 400],
    ['no Host', 'GET /keys HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    [
      'two lengths',
      'POST /auth/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
    [
      'a length and chunks',
      'POST /auth/echo HTTP/1.1\r\nHost: x\r\n' +
        'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    ['a huge header', `GET /keys HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['a strange Expect', 'GET /keys HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n', 417],
  ])('%s is answered with a problem, then closed', async (_, text, status) => {
    const answer = await edge.raw(text);
    expect(answer.status).toBe(status);
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
    const document = problemSchema.parse(JSON.parse(answer.body));
    expect(document).toMatchObject({ status, code: 'invalid_request' });
  });

  it('too slow a request is answered 408 and cut', async () => {
    const slow = await startTestApp(edgeRoutes, {
      timeouts: { headersTimeout: 100, connectionsCheckingInterval: 20 },
    });
    const answer = await slow.raw('GET /keys HTTP/1.1\r\nHost: x\r\n');
    expect(answer.status).toBe(408);
    await slow.drain(100);
  });
});
