import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendBatch } from '../../src/eventlog/append.ts';
import type { CommandRows } from '../../src/eventlog/command.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { rebuildAndCompare } from '../../src/rebuild/rebuild.ts';
import { rebuildKeys } from '../rebuild/population.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { testSeal } from '../support/seal.ts';
import { commandOf, startSession, touch } from '../support/session-commands.ts';

let log: TestLog;
beforeEach(async () => {
  log = await openTestLog();
});
afterEach(() => log.close());

const compile = 'select latchkey.compile_projections()';

describe('the compiler', () => {
  // Fails when it does not plan what it has written: every append of the table would find out.
  it.each([
    [
      'a function that is not there',
      `update latchkey.projected_tables set followed_by = 'trim'
      where name = 'users'`,
      'latchkey.trim(jsonb, integer[]) does not exist',
    ],
    [
      'a column with the name of the command',
      'alter table latchkey.users add column c text',
      'column name "c" specified more than once',
    ],
    [
      'a column that only Postgres may fill',
      `alter table latchkey.users
      add column number integer generated always as identity`,
      'cannot insert a non-DEFAULT value',
    ],
  ])('refuses %s', async (_what, change, message) => {
    await log.owner.query(change);

    await expect(log.owner.query(compile)).rejects.toThrow(message);
  });
});

describe('rows of no registered table', () => {
  // Fails when append passes over them: the fact would be lost without an error.
  it('are refused with the name of their list', async () => {
    const rows = { warehouses: [{ warehouse_id: newId() }] } as CommandRows;
    const stored = appendBatch(log.pools.writers, [commandOf([touch(newId(), 'none')], rows)], {
      patient: false,
      seal: testSeal,
    });

    await expect(stored).rejects.toThrow('no table is registered for rows of warehouses');
  });
});

describe('a generated column', () => {
  // Fails when the rows have to carry it, or the scratch table of a rebuild does not make it.
  it('is left to the database, and equal after a rebuild', async () => {
    await log.owner.query(`alter table latchkey.sessions
      add column started_on date generated always as ((started_at at time zone 'UTC')::date) stored;
      ${compile}`);
    await log.writer.append(startSession().command);

    const { differences } = await rebuildAndCompare({
      databaseUrl: log.database.ownerUrl,
      keys: rebuildKeys,
    });

    expect(differences).toEqual([]);
  });
});
