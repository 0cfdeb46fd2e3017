import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { openConnection, type RawConnection } from '../../support/raw-connection.ts';

let api: TestApi;
let token: string;
let client: string;
let port: number;
beforeAll(async () => {
  api = await startTestApi();
  port = Number(new URL(api.url).port);
  const { email } = await api.register();
  token = (await api.logIn({ email })).access_token;
  const { body } = await api.call('POST', '/admin/clients', {
    token: (await api.admin()).access_token,
    body: { name: 'a client' },
  });
  client = Buffer.from(`${body.client_id}:${body.client_secret}`).toString('base64');
});
afterAll(() => api.stop());

const opened: RawConnection[] = [];
afterEach(() => {
  for (const connection of opened.splice(0)) connection.destroy();
});

async function open(): Promise<RawConnection> {
  const connection = await openConnection(port);
  opened.push(connection);
  return connection;
}

function head(line: string, headers: readonly string[] = []): string {
  return `${[line, 'Host: x', ...headers].join('\r\n')}\r\n\r\n`;
}
const bearer = () => `Authorization: Bearer ${token}`;
const basic = () => `Authorization: Basic ${client}`;
const form = 'Content-Type: application/x-www-form-urlencoded';
const length = (bytes: number) => `Content-Length: ${bytes}`;

describe('an announced body that does not come', () => {
  // The answers go out before the body is there, whatever it is for.
  const answeredEarly: [string, string, () => string[], number][] = [
    ['a good token', 'GET /auth/verify HTTP/1.1', () => [bearer()], 204],
    ['a good token below', 'POST /api/auth/forward/x HTTP/1.1', () => [bearer()], 204],
    ['no token', 'GET /auth/verify HTTP/1.1', () => [], 401],
    ['a misspelt demand', 'GET /auth/verify?rol=x HTTP/1.1', () => [bearer()], 400],
    ['no form', 'POST /oauth2/introspect HTTP/1.1', () => [basic()], 415],
    ['too long a form', 'POST /oauth2/introspect HTTP/1.1', () => [basic(), form], 413],
    ['the key set', 'GET /.well-known/jwks.json HTTP/1.1', () => [], 200],
    ['the key set to HEAD', 'HEAD /auth/jwks HTTP/1.1', () => [], 200],
    ['a bearer endpoint', 'GET /auth/me HTTP/1.1', () => [bearer()], 200],
    ['a bearer endpoint without token', 'GET /auth/me HTTP/1.1', () => [], 401],
    ['a health check', 'GET /healthz HTTP/1.1', () => [], 200],
    ['an unknown path', 'POST /nowhere HTTP/1.1', () => [], 404],
    ['another method', 'PUT /auth/login HTTP/1.1', () => [], 405],
    ['a login without JSON', 'POST /auth/login HTTP/1.1', () => [], 415],
    ['an OPTIONS', 'OPTIONS /auth/login HTTP/1.1', () => [], 204],
  ];

  it.each(answeredEarly)(
    'A7: %s (%s) is answered at once, says close, and no next request is taken from it',
    async (_, line, headers, status) => {
      for (const announced of [length(20_000), 'Transfer-Encoding: chunked']) {
        if (status === 413 && announced.startsWith('T')) continue;
        const connection = await open();
        connection.send(head(line, [...headers(), announced]));
        const answer = await connection.answer(line.split(' ')[0]);
        expect([answer?.status, answer?.header('connection')]).toEqual([status, 'close']);
        connection.send(`GET /healthz HTTP/1.0\r\n\r\n${head('GET /healthz HTTP/1.1')}`);
        expect(await connection.answer()).toBeNull();
      }
    },
  );

  it('A7: nor is a part of it enough', async () => {
    const connection = await open();
    connection.send(`${head('POST /auth/verify HTTP/1.1', [bearer(), length(10)])}12345`);
    expect((await connection.answer())?.header('connection')).toBe('close');
    connection.send(`67890${head('GET /healthz HTTP/1.1')}`);
    expect(await connection.answer()).toBeNull();
  });

  it('A7: one that comes whole leaves the connection to the next request', async () => {
    const connection = await open();
    for (const body of [length(10), 'Transfer-Encoding: chunked']) {
      const bytes = body.startsWith('C') ? '0123456789' : 'a\r\n0123456789\r\n0\r\n\r\n';
      connection.send(head('POST /auth/verify HTTP/1.1', [bearer(), body]) + bytes);
      const answer = await connection.answer();
      expect([answer?.status, answer?.header('connection')]).toEqual([204, 'keep-alive']);
    }
    connection.send(head('GET /auth/verify HTTP/1.1', [bearer(), length(0)]));
    expect((await connection.answer())?.header('connection')).toBe('keep-alive');
    connection.send(head('GET /auth/verify HTTP/1.1'));
    expect((await connection.answer())?.status).toBe(401);
  });
});

describe('Expect: 100-continue', () => {
  const expecting = ['Expect: 100-continue', length(20)];

  it.each([
    ['GET /auth/verify HTTP/1.1', () => [bearer()], 204],
    ['POST /auth/forward/x HTTP/1.1', () => [bearer()], 204],
    ['GET /auth/verify HTTP/1.1', () => [], 401],
    ['POST /oauth2/introspect HTTP/1.1', () => [basic()], 415],
    ['GET /auth/jwks HTTP/1.1', () => [], 200],
    ['GET /auth/me HTTP/1.1', () => [bearer()], 200],
    ['POST /auth/logout-all HTTP/1.1', () => [], 401],
    ['POST /auth/login HTTP/1.1', () => [], 415],
  ] as [string, () => string[], number][])(
    'A7: %s, which reads no body, is answered finally and at once',
    async (line, headers, status) => {
      const connection = await open();
      connection.send(head(line, [...headers(), ...expecting]));
      const answer = await connection.answer();
      expect([answer?.status, answer?.header('connection')]).toEqual([status, 'close']);
      expect(await connection.answer()).toBeNull();
    },
  );

  it.each([
    ['POST /oauth2/introspect HTTP/1.1', () => [basic(), form], 'token=x', 200],
    ['POST /auth/refresh HTTP/1.1', () => ['Content-Type: application/json'], '{"x":1}', 400],
  ] as [string, () => string[], string, number][])(
    'A7: %s is told to go on when its body is read, and keeps its connection',
    async (line, headers, body, status) => {
      const connection = await open();
      connection.send(head(line, [...headers(), 'Expect: 100-continue', length(body.length)]));
      expect((await connection.answer())?.status).toBe(100);
      connection.send(body);
      const answer = await connection.answer();
      expect([answer?.status, answer?.header('connection')]).toEqual([status, 'keep-alive']);
    },
  );
});

describe('two Authorization headers', () => {
  it.each([
    ['/oauth2/introspect', [], 400],
    ['/oauth2/introspect', ['Origin: http://latchkey.test'], 400],
    ['/oauth2/revoke', [], 400],
    ['/auth/verify', [], 401],
  ] as [string, string[], number][])(
    'D4: are refused at %s (%j) with %i',
    async (path, headers, status) => {
      const [credential, other] = path.startsWith('/oauth2/')
        ? [basic(), 'authorization: Basic eDp5']
        : [bearer(), 'authorization: Bearer a.b.c'];
      for (const two of [
        [credential, other],
        [other, credential],
        [credential, credential],
      ]) {
        const connection = await open();
        const body = 'token=x';
        connection.send(
          head(`POST ${path} HTTP/1.1`, [...two, ...headers, form, length(body.length)]) + body,
        );
        const answer = await connection.answer();
        expect(answer?.status).toBe(status);
        if (status === 400) expect(answer?.body).toContain('"invalid_request"');
      }
    },
  );
});

describe('Host', () => {
  it.each([
    ['GET /auth/verify HTTP/1.1', () => [bearer()]],
    ['GET /auth/forward/x HTTP/1.1', () => [bearer()]],
    ['POST /oauth2/introspect HTTP/1.1', () => [basic(), form, length(7)]],
    ['GET /auth/jwks HTTP/1.1', () => []],
    ['GET /healthz HTTP/1.1', () => []],
    ['GET /nowhere HTTP/1.1', () => []],
  ] as [string, () => string[]][])(
    'C10, D4: %s without one, or with two, is 400',
    async (line, headers) => {
      const lines = [line, ...headers()].join('\r\n');
      for (const hosts of ['', 'Host: x\r\nHost: x\r\n', 'Host: x\r\nhost: y\r\n']) {
        const connection = await open();
        connection.send(`${lines}\r\n${hosts}\r\n`);
        const answer = await connection.answer();
        expect([answer?.status, answer?.header('connection')], hosts).toEqual([400, 'close']);
        expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 'invalid_request' });
        expect(await connection.answer()).toBeNull();
      }
    },
  );

  it('C10: HTTP/1.0 needs none, but may not have two', async () => {
    const ask = async (text: string) => {
      const connection = await open();
      connection.send(text);
      return (await connection.answer())?.status;
    };
    expect(await ask(`GET /auth/verify HTTP/1.0\r\n${bearer()}\r\n\r\n`)).toBe(204);
    expect(await ask('GET /healthz HTTP/1.0\r\n\r\n')).toBe(200);
    expect(await ask('GET /healthz HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n')).toBe(400);
  });
});
