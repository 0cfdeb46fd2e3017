import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readText } from '../support/source-files.ts';
import { expectSafeService } from './expectations.ts';
import { afterSeconds, nodeService, untilTheEnd } from './node-service.ts';
import { type Service, startService } from './service.ts';
import { startWorld, type World } from './world.ts';

expectSafeService('Express with public keys', nodeService('express', 'public-keys'), untilTheEnd);
expectSafeService(
  'Express with introspection',
  nodeService('express', 'introspection'),
  afterSeconds,
);

describe('the example of README.md', () => {
  let world: World;
  let service: Service;
  beforeAll(async () => {
    world = await startWorld();
    const example = /```js\n(.*?)```/s.exec(readText('README.md'))![1]!;
    const server = [
      "import express from 'express';",
      'const app = express();',
      example.replace('http://127.0.0.1:3333', world.env.ISSUER),
      "app.get('/orders', (request, response) => response.json({ user: request.userId }));",
      "app.listen(process.env.PORT, '127.0.0.1');",
    ].join('\n');
    service = await startService({ page: 'express', files: { 'server.js': server }, env: {} });
  }, 600_000);
  afterAll(async () => {
    await service?.stop();
    await world?.stop();
  });

  it('lets in who has a good token, until the logout', async () => {
    const login = await world.newLogin();
    const headers = { authorization: `Bearer ${login.access}` };
    const orders = `${service.url}/orders`;
    expect((await fetch(orders)).status).toBe(401);
    const answer = await fetch(orders, { headers });
    expect([answer.status, await answer.json()]).toEqual([200, { user: login.userId }]);
    await world.logOut(login);
    const refused = await fetch(orders, { headers });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });
});
