import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registerClient } from '../api/routes/token-world.ts';
import { filesOf } from '../integrate/page.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let directory: string;
beforeAll(async () => {
  api = await startTestApi();
  directory = mkdtempSync(path.join(tmpdir(), 'service-page-'));
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await api.stop();
});

// Fails when the page's code gets no token, or asks for one at each call.
it('the code of docs/integrate/service.md gets a token, and keeps it', async () => {
  const { client_id, client_secret } = await registerClient(api, { scopes: ['orders.read'] });
  const code = filesOf('service')['service-token.mjs']!;
  const file = path.join(directory, 'service-token.mjs');
  const env = { LATCHKEY: api.url, CLIENT_ID: client_id, CLIENT_SECRET: client_secret };
  writeFileSync(file, code.replace('process.env', JSON.stringify(env)));
  const { serviceToken } = await import(/* @vite-ignore */ file);
  const token = await serviceToken();
  expect(await api.verify(token)).toBe(204);
  expect(await serviceToken()).toBe(token);
  expect(await serviceToken({ force: true })).not.toBe(token);
});
