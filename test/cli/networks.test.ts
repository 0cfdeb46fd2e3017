import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { runLatchkey } from '../support/run-latchkey.ts';

const kek = `test:${randomBytes(32).toString('base64url')}`;
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ KEK: kek, NETWORK_REFUSALS_WARN: '1' });
});
afterAll(() => api.stop());

// Fails when an operator cannot find the network of a log line.
it('latchkey networks name gives an address the name of the log', { timeout: 60_000 }, async () => {
  const body = { email: 'nobody@example.com', password: 'not this one' };
  await api.call('POST', '/auth/login', { body });
  const { network } = api.logged().find((line) => line.network !== undefined);
  const env = { DATABASE_URL: api.database.appUrl, APP_ENV: 'dev', LOG_LEVEL: 'fatal', KEK: kek };
  const args = ['networks', 'name', '127.0.0.9', '127.0.0.10', '2001:db8::1'];
  const { code, stdout, stderr } = await runLatchkey(args, env);
  expect(code, stderr).toBe(0);
  const [first, second, ...rest] = stdout.trim().split('\n');
  expect(first).toBe(`${network} 127.0.0.0/24`);
  expect(second).toMatch(/^[\w-]{16} 2001:db8:0::\/48$/);
  expect(rest).toEqual([]);
});
