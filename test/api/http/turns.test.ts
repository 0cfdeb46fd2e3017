import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { none } from '../../../src/api/http/auth.ts';
import { segment } from '../../../src/api/http/path-parameters.ts';
import { reply } from '../../../src/api/http/reply.ts';
import { route } from '../../../src/api/http/route.ts';
import { openConnection, type RawConnection } from '../../support/raw-connection.ts';
import { startTestApp } from './test-app.ts';

const base = { summary: 'test', tags: ['test'], auth: none } as const;
const ok = { 200: { description: 'ok' } };

/** An application whose `/slow` answers when it is let go, and that tells what was begun. */
async function startGated(timeouts: Parameters<typeof startTestApp>[1] = {}) {
  const begun: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const gateOf = (name: string) => {
    const gate = gates.get(name) ?? Promise.withResolvers<void>();
    gates.set(name, gate);
    return gate;
  };
  const routes = [
    route({
      ...base,
      method: 'get',
      path: '/slow/{name}',
      params: z.object({ name: segment }),
      responses: ok,
      handler: async ({ params }) => {
        begun.push(params.name);
        await gateOf(params.name).promise;
        return reply(200, { name: params.name });
      },
    }),
    route({
      ...base,
      method: 'post',
      path: '/echo',
      body: z.strictObject({ text: z.string() }),
      responses: ok,
      handler: ({ body }) => {
        begun.push('echo');
        return reply(200, body);
      },
    }),
    route({
      ...base,
      method: 'get',
      path: '/large',
      responses: ok,
      handler: () => reply(200, Buffer.alloc(8_000_000), { 'content-type': 'text/plain' }),
    }),
  ];
  const app = await startTestApp(routes, timeouts);
  const connection = await openConnection(app.port);
  opened.push({ app, connection });
  return { app, connection, begun, open: (name: string) => gateOf(name).resolve() };
}

const opened: { app: { drain(ms: number): Promise<void> }; connection: RawConnection }[] = [];
afterEach(async () => {
  for (const { app, connection } of opened.splice(0)) {
    connection.destroy();
    await app.drain(0);
  }
});

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const post = (length: number, body: string, headers = '') =>
  `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}` +
  `Content-Length: ${length}\r\n\r\n${body}`;

describe('pipelined requests of one connection', () => {
  // Fails when each is begun as Node hands it out: the answers of all are then held at once.
  it('C1: are begun one after another, and answered in their order', async () => {
    const { connection, begun, open } = await startGated();
    connection.send(['1', '2', '3'].map((name) => get(`/slow/${name}`)).join(''));
    await expect.poll(() => begun).toEqual(['1']);
    open('3');
    open('1');
    expect((await connection.answer())?.body).toBe('{"name":"1"}');
    await expect.poll(() => begun).toEqual(['1', '2']);
    open('2');
    expect((await connection.answer())?.body).toBe('{"name":"2"}');
    expect((await connection.answer())?.body).toBe('{"name":"3"}');
  });

  it('C1: are answered, up to a bound; with more the connection is cut', async () => {
    const most = await startGated();
    most.open('x');
    most.connection.send(get('/slow/x').repeat(33));
    for (let sent = 0; sent < 33; sent += 1) {
      expect((await most.connection.answer())?.status).toBe(200);
    }
    const flood = await startGated();
    let parsed = 0;
    flood.app.server.on('request', () => {
      parsed += 1;
    });
    flood.connection.send(get('/slow/x').repeat(1_000));
    expect(await flood.connection.answer()).toBeNull();
    expect(flood.begun).toEqual(['x']);
    // One under way, 32 that wait, and the one that was too many.
    expect(parsed).toBe(34);
  });

  it('C1: with bodies, and with an Expect, wait just so', async () => {
    const { connection, open } = await startGated();
    connection.send(get('/slow/x') + post(12, '{"text":"1"}'));
    connection.send(post(12, '', 'Expect: 100-continue\r\n'));
    connection.send(get('/slow/x').replace('Host', 'Expect: magic\r\nHost'));
    open('x');
    expect((await connection.answer())?.body).toBe('{"name":"x"}');
    expect((await connection.answer())?.body).toBe('{"text":"1"}');
    expect((await connection.answer())?.status).toBe(100);
  });
});

describe('Expect: 100-continue', () => {
  // Fails when 100 is sent before it is known that the body is refused.
  it.each([
    ['too large', post(20_000, '', 'Expect: 100-continue\r\n'), 413],
    ['not JSON', post(12, '', 'Expect: 100-continue\r\n').replace('/json', '/xml'), 415],
  ])('D4: with a body that is %s is answered finally and at once', async (_, text, status) => {
    const { connection } = await startGated();
    connection.send(text);
    const answer = await connection.answer();
    expect([answer?.status, answer?.header('connection')]).toEqual([status, 'close']);
  });
});

describe('a client that does not read', () => {
  // Fails when the server has no time for silence: the answer is then held for ever.
  it('C1: is cut when no byte has moved for a time', async () => {
    const { app, connection } = await startGated({
      timeouts: { silenceTimeout: 300 },
    });
    connection.pause();
    connection.send(get('/large'));
    const connections = () =>
      new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));
    await expect.poll(connections).toBe(1);
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
  });
});

describe('bytes that are no request', () => {
  // Fails when the connection is cut without a word.
  it.each(['', 'Connection: close\r\n'])(
    'E13: right after a body that is longer than its length are a 400, and nothing is run: %j',
    async (headers) => {
      const { connection, begun } = await startGated();
      connection.send(post(12, '{"text":"1"} and more', headers));
      const refusal = await connection.answer();
      expect([refusal?.status, refusal?.header('connection')]).toEqual([400, 'close']);
      expect(JSON.parse(refusal!.body).code).toBe('invalid_request');
      expect(await connection.answer()).toBeNull();
      expect(begun).toEqual([]);
    },
  );

  // Fails when the connection is cut at once: the answer to the good request is lost.
  it('E13: after a request that is under way are a 400 after its answer', async () => {
    const { connection, begun, open } = await startGated();
    connection.send(get('/slow/x'));
    await expect.poll(() => begun).toEqual(['x']);
    connection.send('and more\r\n\r\n');
    connection.send('and more\r\n\r\n');
    open('x');
    expect((await connection.answer())?.body).toBe('{"name":"x"}');
    expect((await connection.answer())?.status).toBe(400);
    expect(await connection.answer()).toBeNull();
  });

  it('E13: after a body that is cut short by its length are a 400', async () => {
    const { connection } = await startGated();
    connection.send(post(5, '{"text":"1"}'));
    expect((await connection.answer())?.status).toBe(400);
  });

  it('E13: within a body in chunks are a 400, also when its request has to wait', async () => {
    const broken =
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n5\r\n{"tex\r\nno length\r\n';
    const alone = await startGated();
    alone.connection.send(broken);
    expect((await alone.connection.answer())?.status).toBe(400);
    expect(await alone.connection.answer()).toBeNull();
    const behind = await startGated();
    behind.connection.send(get('/slow/x') + broken);
    await expect.poll(() => behind.begun).toEqual(['x']);
    behind.open('x');
    expect((await behind.connection.answer())?.body).toBe('{"name":"x"}');
    expect((await behind.connection.answer())?.status).toBe(400);
    expect(await behind.connection.answer()).toBeNull();
  });

  it('E13: a body that comes too slowly is a 408', async () => {
    const { connection } = await startGated({
      timeouts: { requestTimeout: 300, headersTimeout: 200, connectionsCheckingInterval: 50 },
    });
    connection.send(post(12, '{"text'));
    expect((await connection.answer())?.status).toBe(408);
  });
});
