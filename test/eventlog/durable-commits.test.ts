import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { expect, it } from 'vitest';
import { createTestDatabase, withClient } from '../support/postgres.ts';

const noStream = [[randomUUID()], randomUUID()];

// Fails when a role that was given `synchronous_commit = local` takes a function's promise away.
it.each([
  ['an append', 'select latchkey.begin_append()', []],
  ['a look for a lost append', 'select * from latchkey.read_back($1, $2)', noStream],
])(
  'F1: the commit of %s waits for the standby, whatever the role was given',
  async (_, text, values) => {
    const database = await createTestDatabase();
    const waitsFor = async (client: pg.Client) => {
      await client.query('begin');
      await client.query("set local synchronous_commit = 'local'");
      await client.query(text, values);
      const { rows } = await client.query('show synchronous_commit');
      await client.query('rollback');
      return rows[0].synchronous_commit;
    };
    expect(await withClient(database.appUrl, waitsFor)).toBe('on');
    await database.drop();
  },
);
