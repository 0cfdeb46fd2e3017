import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';
import { readText } from '../support/source-files.ts';

const section = readText('docs/architecture.md').split('## A restored database\n')[1]!;
const statements = /```sql\n([\s\S]*?)```/.exec(section)![1]!;

describe('the steps for a restored database in docs/architecture.md', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi();
  });
  afterAll(() => api.stop());

  it('end every session, and the log goes on beyond what was ever drawn', async () => {
    const { email } = await api.register();
    const before = await api.logIn({ email });
    const head = () =>
      withClient(api.database.ownerUrl, async (client) => {
        const { rows } = await client.query('select max(pos)::int8 as pos from latchkey.events');
        return Number(rows[0]!.pos);
      });
    const lost = await head();

    await withClient(api.database.ownerUrl, (client) => client.query(statements));
    const node = await api.anotherNode();

    expect((await node.refresh(before.refresh_token)).status).toBe(401);
    const after = await node.logIn({ email });
    expect(await node.verify(after.access_token)).toBe(204);
    expect((await node.refresh(after.refresh_token)).status).toBe(200);
    expect(await head()).toBeGreaterThan(lost + 100_000_000);
    expect((await node.call('GET', '/readyz')).status).toBe(200);
  });
});
