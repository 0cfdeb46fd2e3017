import { Agent, request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { none } from '../../../src/api/http/auth.ts';
import { reply } from '../../../src/api/http/reply.ts';
import { route } from '../../../src/api/http/route.ts';
import { openConnection } from '../../support/raw-connection.ts';
import { startTestApp } from './test-app.ts';

function gatedRoute() {
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = route({
    method: 'get',
    path: '/slow',
    summary: 'test',
    tags: ['test'],
    auth: none,
    responses: { 200: { description: 'ok' } },
    handler: async () => {
      begun.resolve();
      await gate.promise;
      return reply(200, { done: true });
    },
  });
  return { slow, begun: begun.promise, open: gate.resolve };
}

function get(
  url: string,
  agent: Agent,
): Promise<{ status: number; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    request(url, { agent }, (response) => {
      response.resume().on('end', () => {
        resolve({ status: response.statusCode ?? 0, connection: response.headers.connection });
      });
    })
      .on('error', reject)
      .end();
  });
}

describe('a drain', () => {
  it('finishes the request under way, closes its connection, and accepts nobody new', async () => {
    const { slow, begun, open } = gatedRoute();
    const app = await startTestApp([slow]);
    const agent = new Agent({ keepAlive: true });
    const underWay = get(`${app.url}/slow`, agent);
    await begun;
    const drained = app.drain(60_000);
    await expect(get(`${app.url}/slow`, new Agent())).rejects.toThrow('ECONNREFUSED');
    open();
    expect(await underWay).toEqual({ status: 200, connection: 'close' });
    await drained;
    agent.destroy();
  });

  it('does not wait for idle connections', async () => {
    const { slow, open } = gatedRoute();
    open();
    const app = await startTestApp([slow]);
    const agent = new Agent({ keepAlive: true });
    expect(await get(`${app.url}/slow`, agent)).toMatchObject({ connection: 'keep-alive' });
    await app.drain(60_000);
    agent.destroy();
  });

  it('C9: tells each kept connection to close with its next answer, and resets none', async () => {
    const { slow, open } = gatedRoute();
    open();
    const app = await startTestApp([slow], { idleGraceMs: 60_000 });
    const request = 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n';
    const connections = await Promise.all(
      Array.from({ length: 32 }, () => openConnection(app.port)),
    );
    for (const connection of connections) connection.send(request);
    for (const connection of connections) {
      expect((await connection.answer())?.header('connection')).toBe('keep-alive');
    }
    const drained = app.drain(60_000);
    for (const connection of connections) connection.send(request);
    for (const connection of connections) {
      expect((await connection.answer())?.header('connection')).toBe('close');
      expect(await connection.closed).toEqual({ reset: false });
    }
    await drained;
  });

  it('cuts what is not done in time', async () => {
    const { slow, begun } = gatedRoute();
    const app = await startTestApp([slow]);
    const underWay = get(`${app.url}/slow`, new Agent());
    const cut = expect(underWay).rejects.toThrow();
    await begun;
    await app.drain(20);
    await cut;
  });
});

describe('a shared port', () => {
  it('is taken by two servers with reusePort and refused without', async () => {
    const { slow } = gatedRoute();
    const first = await startTestApp([slow], { reusePort: true });
    const second = await startTestApp([slow], { reusePort: true, port: first.port });
    expect(second.port).toBe(first.port);
    await expect(startTestApp([slow], { port: first.port })).rejects.toThrow(
      'is taken by another process',
    );
    await Promise.all([first.drain(100), second.drain(100)]);
  });
});
