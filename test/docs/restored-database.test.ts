import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';
import { runLatchkey } from '../support/run-latchkey.ts';
import { readText } from '../support/source-files.ts';

const section = readText('docs/operations.md').split('\n### Restore\n')[1]!;
const statements = /```sql\n([\s\S]*?)```/.exec(section)![1]!;
const kek = `test:${randomBytes(32).toString('base64url')}`;

describe('the steps of a restore in docs/operations.md', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi({ KEK: kek });
  });
  afterAll(() => api.stop());

  async function keys(...args: string[]): Promise<{ kid: string }[]> {
    const env = { DATABASE_URL: api.database.appUrl, APP_ENV: 'dev', LOG_LEVEL: 'fatal', KEK: kek };
    const { code, stdout, stderr } = await runLatchkey(['keys', ...args], env);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  }

  // Fails when a statement is left out, or when `latchkey keys` needs a node that runs.
  it('end every session and token, and the log goes on beyond what was ever drawn', async () => {
    const { email } = await api.register();
    const before = await api.logIn({ email });
    const head = () =>
      withClient(api.database.ownerUrl, async (client) => {
        const { rows } = await client.query('select max(pos)::int8 as pos from latchkey.events');
        return Number(rows[0]!.pos);
      });
    const lost = await head();

    await withClient(api.database.ownerUrl, (client) => client.query(statements));
    for (const { kid } of await keys('list')) await keys('revoke', kid);
    const node = await api.anotherNode();

    expect((await node.refresh(before.refresh_token)).status).toBe(401);
    expect(await node.verify(before.access_token)).toBe(401);
    const after = await node.logIn({ email });
    expect(await node.verify(after.access_token)).toBe(204);
    expect((await node.refresh(after.refresh_token)).status).toBe(200);
    expect(await head()).toBeGreaterThan(lost + 100_000_000);
    expect((await node.call('GET', '/readyz')).status).toBe(200);
  });
});
