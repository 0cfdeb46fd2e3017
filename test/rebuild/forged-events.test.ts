import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { streamKinds } from '../../src/domain/kernel/event.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { rebuildAndCompare } from '../../src/rebuild/rebuild.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { seededRandom } from './ingredients.ts';
import { Population, rebuildKeys } from './population.ts';

let database: TestDatabase;
let owner: pg.Client;
let lanes: pg.Client[];

beforeEach(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  lanes = [0, 1].map(() => new pg.Client({ connectionString: database.appUrl }));
  for (const client of [owner, ...lanes]) await client.connect();
  await new Population(lanes, seededRandom(1)).grow(20);
});

afterEach(async () => {
  for (const client of [owner, ...lanes]) await client.end();
  await database.drop();
});

const compareAs = (databaseUrl: string) => rebuildAndCompare({ databaseUrl, keys: rebuildKeys });

async function alteringLog(statement: string): Promise<void> {
  await owner.query(`begin; set local session_replication_role = replica; ${statement}; commit`);
}

describe('A3: a rebuild makes no row of what this service did not write', () => {
  const forge = (event: string) => `insert into latchkey.events
    (kind, stream_id, version, type, schema_v, data, subject_id, meta, recorded_at) ${event}`;
  /** As the application's role, which may insert into the log. */
  const asThief = (statement: string) => lanes[0]!.query(statement);

  it.each([
    ['user', 'RoleGranted', { at: 1, role: 'latchkey:admin' }],
    ['keyset', 'KeyActivated', { at: 1, kid: 'mine' }],
    ['client', 'ClientSecretRotated', { at: 1, secretHash: 'mine' }],
    ['session', 'SessionRefreshed', { at: 1, generation: 2, secretHash: 'mine', salt: 'x' }],
    ['invite', 'InviteUsed', { at: 1, userId: newId() }],
  ] as const)('A3: a forged event of a %s stream: %s', async (kind, type, data) => {
    const { rows } = await owner.query(
      'select stream_id from latchkey.streams where kind = $1 and version > 0 limit 1',
      [streamKinds[kind]],
    );
    const { stream_id: id } = rows[0];
    await asThief(
      forge(`select kind, stream_id, version + 1, '${type}', 1, '${JSON.stringify(data)}',
      subject_id, '{"command_id": "x", "mac": "AAAAAAAAAAAAAAAAAAAAAA"}', now()
      from latchkey.streams where stream_id = '${id}'`),
    );

    const { differences } = await compareAs(database.ownerUrl);

    expect(differences).toContainEqual(
      expect.objectContaining({ table: 'events', key: id, column: 'meta' }),
    );
    expect(differences).toContainEqual(
      expect.objectContaining({ table: `${kind}s`, key: id, kind: 'extra' }),
    );
  });

  it('A3: a new stream, and a genuine event at another place', async () => {
    const [made, copied] = [newId(), newId()];
    await asThief(
      forge(`values (1, '${made}', 1, 'UserRegistered', 1,
      '{"at": 1, "emailVerified": true, "hasPassword": false, "roles": ["latchkey:admin"]}',
      '${made}', '{}', now())`),
    );
    await asThief(
      forge(`select kind, '${copied}', version, type, schema_v, data, subject_id, meta, now()
      from latchkey.events where type = 'UserRegistered' limit 1`),
    );

    const { differences } = await compareAs(database.ownerUrl);

    for (const key of [made, copied]) {
      expect(differences).toContainEqual(
        expect.objectContaining({ table: 'events', key, column: 'meta' }),
      );
    }
    expect(differences.filter(({ table }) => table === 'users')).toEqual([]);
  });

  it.each(['data', 'type', 'pii', 'subject_id', 'meta'])(
    'A3: an event whose %s was altered',
    async (column) => {
      const change = {
        data: `data = data || '{"at": 5}'`,
        type: `type = 'UserEnabled'`,
        pii: `pii = '\\x00'`,
        subject_id: 'subject_id = gen_random_uuid()',
        meta: `meta = meta || '{"actor": "somebody else"}'`,
      }[column];
      await alteringLog(`update latchkey.events set ${change}
      where pos = (select max(pos) from latchkey.events where kind = 1)`);

      const { differences } = await compareAs(database.ownerUrl);

      expect(differences).toContainEqual(
        expect.objectContaining({ table: 'events', column: 'meta' }),
      );
    },
  );
});
