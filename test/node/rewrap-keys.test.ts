import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rewrapKeys } from '../../src/node/rewrap-keys.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const kek = (id: string) => ({ id, key: randomBytes(32) });
const [old, next] = [kek('old'), kek('next')];
const setting = (...ring: { id: string; key: Buffer }[]) => ({
  KEK: ring.map(({ id, key }) => `${id}:${key.toString('base64url')}`).join(','),
});
const underNext = localKeyWrap([next, old]);

let database: TestDatabase;
let owner: pg.Client;
let api: TestApi;
let email: string;
beforeEach(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  api = await startTestApi(setting(old), database);
  ({ email } = await api.register());
});
afterEach(async () => {
  await owner.end();
  await api.stop();
});

/** How many keys stand under which key-encryption key. */
async function countByKek(): Promise<Record<string, number>> {
  const { rows } = await owner.query(
    'select wrapped from latchkey.key_secrets union all select wrapped from latchkey.subject_keys',
  );
  const counts: Record<string, number> = {};
  for (const { wrapped } of rows) {
    const { kid } = JSON.parse(Buffer.from(wrapped.split('.')[0], 'base64url').toString());
    counts[kid] = (counts[kid] ?? 0) + 1;
  }
  return counts;
}

describe('given a service that wraps under an old key', () => {
  it('every key is wrapped anew, and the old one opens nothing that is needed', async () => {
    const tokens = await api.logIn({ email });
    const before = await countByKek();
    const { rewrapped, keys } = await rewrapKeys(owner, underNext);
    expect(before).toEqual({ old: keys });
    expect(Object.values(rewrapped).reduce((sum, count) => sum + count, 0)).toBe(keys);
    expect(await countByKek()).toEqual({ next: keys });
    const restarted = await api.anotherNode(setting(next));
    expect((await restarted.refresh(tokens.refresh_token)).status).toBe(200);
    expect((await restarted.logIn({ email })).user.email).toBe(email);
    await expect(api.anotherNode(setting(old))).rejects.toThrow(/nothing was written/);
  });

  it('a second run finds nothing to do', async () => {
    const { keys } = await rewrapKeys(owner, underNext);
    expect(await rewrapKeys(owner, underNext)).toEqual({
      rewrapped: { 'latchkey.key_secrets': 0, 'latchkey.subject_keys': 0 },
      keys,
    });
  });

  // Fails when the proof is left out: the old key would be taken away while a row still needs it.
  it('it says so when a process still wraps under the old key', async () => {
    await rewrapKeys(owner, underNext);
    const meanwhile = {
      query: async (statement: string | { text: string }) => {
        const text = typeof statement === 'string' ? statement : statement.text;
        if (/^lock table/.test(text)) await api.register();
        return owner.query(statement as pg.QueryConfig);
      },
    };
    const run = rewrapKeys(meanwhile as unknown as pg.Client, underNext);
    await expect(run).rejects.toThrow('1 under old');
    expect(await rewrapKeys(owner, underNext)).toMatchObject({
      rewrapped: { 'latchkey.subject_keys': 1 },
    });
  });

  it('nothing is lost where a key does not open', async () => {
    const stranger = localKeyWrap([next]);
    const before = await countByKek();
    await expect(rewrapKeys(owner, stranger)).rejects.toThrow('which is not in the ring');
    expect(await countByKek()).toEqual(before);
  });
});
