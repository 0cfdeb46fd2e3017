import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keySecretRows } from '../../src/app/keyset/ensure-issuer-keys.ts';
import { generateSigningKey } from '../../src/node/signing-keys.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { deviceTokenRow } from '../../src/tables/device-token.ts';
import { usedProofRow } from '../../src/tables/dpop-proof.ts';
import { usernameRows } from '../../src/tables/user.ts';
import { seededRandom } from '../rebuild/ingredients.ts';
import { Population } from '../rebuild/population.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type Statement, sentAppend } from '../support/sent-append.ts';

type Rows = Record<string, readonly object[]>;

let database: TestDatabase;
let owner: pg.Client;
let lane: pg.Client;
let sent: Rows[];
beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  lane = new pg.Client({ connectionString: database.appUrl });
  for (const client of [owner, lane]) await client.connect();
  sent = [...(await sentRows()), await otherRows()];
});
afterAll(async () => {
  for (const client of [owner, lane]) await client.end();
  await database.drop();
});

/** The `rows` of every append that a population sends. */
async function sentRows(): Promise<Rows[]> {
  const query = vi.spyOn(lane, 'query');
  await new Population([lane], seededRandom(1)).grow(20);
  const statements = query.mock.calls.map(([first]) => first as unknown);
  query.mockRestore();
  const appends = statements.map((each) => sentAppend(each as Statement));
  return appends.filter((append) => append !== null).map(({ rows }) => rows);
}

/** The rows of the tables that a population leaves alone. */
async function otherRows(): Promise<Rows> {
  const key = await generateSigningKey('ES256');
  const keyWrap = localKeyWrap([{ id: 'test', key: Buffer.alloc(32, 1) }]);
  const events = [{ type: 'KeyGenerated', data: { kid: key.kid } }] as const;
  const change = { events } as unknown as Parameters<typeof keySecretRows>[1];
  const parts = { deviceId: newId(), secretHash: 'hash' };
  return {
    ...(await keySecretRows(keyWrap, change, [key])),
    usernames: usernameRows(newId(), Buffer.alloc(32)).usernames!.map((row) => ({
      ...row,
      mac: 'a seal',
    })),
    dpop_proofs: [usedProofRow({ jkt: 'thumbprint', jti: 'id', expiresAt: 0 })],
    device_tokens: [deviceTokenRow(newId(), { ...parts, epoch: 0, createdAt: 0, usedAt: null })],
  };
}

describe('the rows that the service sends', () => {
  // Fails when a migration adds a column that no row carries and that is not declared local: every
  // row would have null there.
  it('carry every column of every registered table but the local ones', async () => {
    const { rows: tables } = await owner.query(
      `select t.name, array_agg(a.attname::text) as columns
        from latchkey.projected_tables t join pg_attribute a
          on a.attrelid = ('latchkey.' || t.name)::regclass and a.attnum > 0
            and not a.attisdropped and a.attgenerated = '' and a.attname <> all (t.local)
        group by t.name order by t.place`,
    );

    for (const { name, columns } of tables) {
      const carried = sent.flatMap((rows) => rows[name] ?? []);
      expect(carried.length, name).toBeGreaterThan(0);
      const missing = columns.filter((column: string) => !carried.every((row) => column in row));
      expect(missing, name).toEqual([]);
    }
  });

  // Fails when a noun is not registered: append passes over a list that it does not know.
  it('go to registered tables and to the revocations, and to no other', async () => {
    const { rows } = await owner.query('select name from latchkey.projected_tables');
    const known = [...rows.map(({ name }) => name as string), 'revocations'];

    const names = new Set(sent.flatMap((each) => Object.keys(each)));

    expect([...names].filter((table) => !known.includes(table))).toEqual([]);
  });
});
