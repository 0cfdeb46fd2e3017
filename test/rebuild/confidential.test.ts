import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare, projectedTables } from '../../src/rebuild/compare.ts';
import { streams } from '../../src/tables/streams.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { seededRandom } from './ingredients.ts';
import { Population } from './population.ts';

/** What `rebuild --compare` must not print: an operator pastes its output into a ticket. */
const secret: Readonly<Record<string, readonly string[]>> = {
  users: ['pii', 'new_email_pii', 'recovery_code_hashes'],
  sessions: ['secret_hash', 'parent_hash', 'salt', 'idempotency_key_hash', 'pii', 'end_pii'],
  clients: ['secret_hashes'],
  invites: ['secret_hash'],
  credentials: ['identifier_mac'],
  usernames: ['identifier_mac'],
};

let database: TestDatabase;
let owner: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  await new Population([owner], seededRandom(7)).grow(300);
  await owner.query(
    "insert into latchkey.usernames values ('\\x01', gen_random_uuid(), 'a seal of a name')",
  );
  await owner.query('create schema rebuilt');
  for (const table of projectedTables) {
    await owner.query(`create table rebuilt.${table} as select * from latchkey.${table}`);
  }
});
afterAll(async () => {
  await owner.end();
  await database.drop();
});

describe('what a comparison does not show', () => {
  it('is what the tables of the nouns declare', () => {
    for (const { table } of Object.values(streams)) {
      expect(table.confidential.toSorted(), table.name).toEqual(
        (secret[table.name] ?? []).toSorted(),
      );
    }
  });

  // Fails when a column is added that holds a secret by its name, or bytes, and nobody says so. The
  // seal `mac` may be seen: it is good for its own row only.
  it('is every column that the catalogue shows to be one', async () => {
    const { rows } = await owner.query(
      `select table_name || '.' || column_name as name from information_schema.columns
        where table_schema = 'latchkey' and table_name = any ($1) and column_name <> 'mac'
          and (data_type = 'bytea' or column_name ~ 'hash|salt|secret|pii|mac|cipher|wrapped')`,
      [projectedTables],
    );
    const listed = Object.entries(secret).flatMap(([table, columns]) =>
      columns.map((column) => `${table}.${column}`),
    );
    expect(rows.map(({ name }) => name).toSorted()).toEqual(listed.toSorted());
  });

  it('differs as the beginning of a digest', async () => {
    const changed = Object.entries(secret).flatMap(([table, columns]) =>
      columns.map((column) => ({ table, column })),
    );
    for (const { table, column } of changed) {
      // A literal that is a text, a list of texts and bytes, whichever the column takes.
      await owner.query(`update rebuilt.${table} set ${column} =
        case when ${column} is null then '{a secret}' else nullif(${column}, ${column}) end
        where ctid =
        (select ctid from rebuilt.${table} order by ${column} is null limit 1)`);
    }
    const { differences } = await compare(owner, 'rebuilt');
    const byName = (a: { table: string; column: string | null }) => `${a.table}.${a.column}`;
    expect(differences.map(byName).toSorted()).toEqual(changed.map(byName).toSorted());
    for (const { table, column, live, rebuilt } of differences) {
      expect(live ?? rebuilt, `${table}.${column}`).toMatch(/^[0-9a-f]{12}$/);
    }
  });
});
