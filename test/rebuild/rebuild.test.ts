import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { streamKinds } from '../../src/domain/kernel/event.ts';
import { projectedTables } from '../../src/rebuild/compare.ts';
import { rebuild, rebuildAndCompare } from '../../src/rebuild/rebuild.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { testSeal } from '../support/seal.ts';
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
});

afterEach(async () => {
  for (const client of [owner, ...lanes]) await client.end();
  await database.drop();
});

const compareAs = (databaseUrl: string) => rebuildAndCompare({ databaseUrl, keys: rebuildKeys });

async function grown(steps: number, seed = 1): Promise<Population> {
  const population = new Population(lanes, seededRandom(seed));
  await population.grow(steps);
  return population;
}

async function alteringLog(statement: string): Promise<void> {
  await owner.query(`begin; set local session_replication_role = replica; ${statement}; commit`);
}

describe('rebuild', () => {
  it('finds an empty log equal', async () => {
    expect(await compareAs(database.ownerUrl)).toMatchObject({ events: 0, ceiling: 0, count: 0 });
  });

  it.each([1, 2, 3])(
    'equals the live rows after random commands on every stream (%i)',
    async (seed) => {
      await grown(200, seed);

      const found = await compareAs(database.ownerUrl);

      expect(found.differences).toEqual([]);
      const { rows } = await owner.query(
        'select count(*)::integer as events, max(pos)::integer as ceiling from latchkey.events',
      );
      expect(found).toMatchObject({ count: 0, ...rows[0] });
      const { rows: kinds } = await owner.query('select distinct kind from latchkey.events');
      expect(kinds).toHaveLength(Object.keys(streamKinds).length);
    },
  );

  it('fills every table with as many rows as live', async () => {
    await grown(100);
    const options = { databaseUrl: database.ownerUrl, keys: rebuildKeys };
    await rebuild(options, async (client, { schema }) => {
      for (const table of projectedTables) {
        const { rows } = await client.query(`select
          (select count(*)::integer from latchkey.${table}) as live,
          (select count(*)::integer from ${schema}.${table}) as rebuilt`);
        expect(rows[0].live, table).toBeGreaterThan(0);
        expect(rows[0].rebuilt, table).toBe(rows[0].live);
      }
    });
  });

  it('needs no more than the rights of the application, and leaves nothing behind', async () => {
    await grown(30);

    expect(await compareAs(database.appUrl)).toMatchObject({ count: 0 });

    const { rows } = await owner.query(
      `select tablename from pg_tables where schemaname like 'pg_temp%'`,
    );
    expect(rows).toEqual([]);
  });

  it('sees no difference where appends go on meanwhile', async () => {
    const population = await grown(50);
    let going = true;
    const load = (async () => {
      while (going) await population.step();
    })();

    const runs = [];
    for (let run = 0; run < 3; run++) runs.push(await compareAs(database.ownerUrl));
    going = false;
    await load;

    expect(runs.flatMap(({ differences }) => differences)).toEqual([]);
    expect(runs[2]!.events).toBeGreaterThan(runs[0]!.events);
  });

  it('has no credential for a user whose subject key was deleted', async () => {
    const { users } = await grown(10);
    const [erased] = users;
    await owner.query('delete from latchkey.subject_keys where subject_id = $1', [erased!.id]);

    expect((await compareAs(database.ownerUrl)).differences).toEqual([
      expect.objectContaining({ table: 'credentials', key: erased!.id, kind: 'extra' }),
      expect.objectContaining({ table: 'usernames', key: erased!.id, kind: 'extra' }),
    ]);
  });

  it.each([
    ['of an unknown type', { type: 'SessionTeleported' }, /SessionTeleported: unknown type/],
    ['of a newer schema', { schema_v: 2 }, /schema version 2, known: 1/],
  ])('stops at a genuine event %s', async (_what, change, message) => {
    await grown(30);
    const { rows } = await owner.query(`select * from latchkey.events
      where pos = (select max(pos) from latchkey.events where type = 'SessionStarted')`);
    const event = { ...rows[0], ...change };
    const mac = testSeal.event({
      ...event,
      streamId: event.stream_id,
      subjectId: event.subject_id,
      schemaV: event.schema_v,
    });
    await alteringLog(`update latchkey.events set type = '${event.type}', schema_v = ${event.schema_v},
      meta = meta || '{"mac": "${mac}"}' where pos = ${event.pos}`);

    await expect(compareAs(database.ownerUrl)).rejects.toThrow(message);
  });

  it('refuses to run twice at once', async () => {
    const options = { databaseUrl: database.ownerUrl, keys: rebuildKeys };
    await rebuild(options, async () => {
      await expect(compareAs(database.ownerUrl)).rejects.toThrow('another rebuild');
    });
  });
});

describe('a rebuild names', () => {
  const flip = (column: string) =>
    `${column} = set_byte(${column}, 20, get_byte(${column}, 20) # 1)`;

  it('every changed column by its table and key, and nothing else', async () => {
    await grown(40);
    const planted = [
      ['users', 'pii', 'user_id', flip('pii')],
      ['users', 'roles', 'user_id', `roles = roles || '{x}'`],
      ['sessions', 'pii', 'session_id', flip('pii')],
      [
        'sessions',
        'refreshed_at',
        'session_id',
        `refreshed_at = refreshed_at + interval '1 microsecond'`,
      ],
      ['sessions', 'idempotency_key_hash', 'session_id', `idempotency_key_hash = ''`],
      ['clients', 'name', 'client_id', `name = name || ' '`],
      ['keysets', 'keys', 'keyset_id', `keys = jsonb_set(keys, '{0,retiredAt}', '1')`],
      ['credentials', 'identifier_mac', 'user_id', flip('identifier_mac')],
      ['revocations', 'until', 'target', `until = until + interval '1 millisecond'`],
      ['streams', 'version', 'stream_id', 'version = version + 1'],
      ['streams', 'first_pos', 'stream_id', 'first_pos = first_pos - 1'],
      ['streams', 'last_pos', 'stream_id', 'last_pos = last_pos + 1'],
      ['streams', 'subject_id', 'stream_id', 'subject_id = stream_id'],
    ] as const;
    const expected: unknown[] = [];
    const keys: string[] = [];
    for (const [table, column, key, change] of planted) {
      // Somebody erased has no ciphertext left to change.
      const filled = column === 'pii' ? 'where pii is not null' : '';
      const only = table === 'streams' ? 'where kind = 2' : filled;
      const { rows } = await owner.query(`update latchkey.${table} set ${change} where ctid =
          (select ctid from latchkey.${table} ${only} order by random() limit 1)
        returning ${key}::text as key`);
      expected.push(expect.objectContaining({ table, column, kind: 'changed' }));
      expect(rows).toHaveLength(1);
      keys.push(rows[0].key);
    }

    const { count, differences } = await compareAs(database.ownerUrl);

    expect(count).toBe(planted.length);
    expect(differences).toEqual(expect.arrayContaining(expected));
    for (const key of keys) expect(differences.some((found) => found.key.includes(key))).toBe(true);
    for (const { live, rebuilt } of differences) expect(live).not.toBe(rebuilt);
  });

  it('a missing and an extra row of every table', async () => {
    await grown(40);
    for (const table of projectedTables) {
      await owner.query(`delete from latchkey.${table}
        where ctid = (select ctid from latchkey.${table} limit 1)`);
    }
    const missing = await compareAs(database.ownerUrl);
    await alteringLog('delete from latchkey.events');
    const extra = await compareAs(database.ownerUrl);

    const named = missing.differences.map(({ table, kind, column }) => [table, kind, column]);
    expect(named).toEqual(projectedTables.map((table) => [table, 'missing', null]));
    const extraTables = new Set(
      extra.differences.map(({ table, kind }) => (kind === 'extra' ? table : null)),
    );
    // The one keyset row was deleted above.
    const expected = projectedTables.filter((table) => table !== 'keysets');
    expect(extraTables).toEqual(new Set([...expected, 'streams']));
  });

  it('a gap in the versions of a stream', async () => {
    const { sessions } = await grown(60);
    const session = sessions.find(({ version }) => version >= 3)!;
    await alteringLog(
      `delete from latchkey.events where stream_id = '${session.id}' and version = 2`,
    );

    const { differences } = await compareAs(database.ownerUrl);

    expect(differences).toContainEqual(
      expect.objectContaining({ table: 'events', key: session.id, column: 'version' }),
    );
    expect(differences).toContainEqual(
      expect.objectContaining({ table: 'streams', key: session.id, column: 'version' }),
    );
  });

  it('a hundred differences at most, counts them all, and shows no personal data', async () => {
    const population = await grown(20);
    while (population.sessions.length < 120) await population.start();
    await owner.query(`update latchkey.sessions set pii = '\\xfeedface', scope = 'changed'`);

    const { count, differences } = await compareAs(database.ownerUrl);

    expect(count).toBe(2 * population.sessions.length);
    expect(differences).toHaveLength(100);
    expect(JSON.stringify(differences)).not.toContain('feedface');
  });
});
