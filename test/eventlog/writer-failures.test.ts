import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { commandOf, touch } from '../support/session-commands.ts';

let log: TestLog;

beforeEach(async () => {
  log = await openTestLog();
});
afterEach(() => log.close());

async function refusal(): Promise<{ detail: string; causes: string }> {
  const error = await log.writer.append(commandOf([touch(newId(), 'none')])).catch((e) => e);
  expect(error).toBeInstanceOf(LatchkeyError);
  expect(error.code).toBe('unavailable');
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    causes.push(`${cause.message} ${(cause as LatchkeyError).detail ?? ''}`);
  }
  return { detail: error.detail, causes: causes.join('\n') };
}

describe('the refusal of an append names what the database said', () => {
  it('F17: when the disk is full', async () => {
    await log.owner.query(`create function public.disk_full() returns trigger language plpgsql as $$
      begin raise exception 'No space left on device' using errcode = '53100'; end $$`);
    await log.owner.query(`create trigger disk_full before insert on latchkey.events
      for each row execute function public.disk_full()`);
    const { detail, causes } = await refusal();
    expect(detail).not.toContain('stream');
    expect(causes).toContain('No space left on device');
  });

  it('F17: when the database is read-only', async () => {
    await log.owner.query(
      `alter database ${log.database.name} set default_transaction_read_only = on`,
    );
    const { detail, causes } = await refusal();
    expect(detail).not.toContain('stream');
    expect(causes).toContain('read-only transaction');
  });
});

describe('an address that is taken', () => {
  // Fails with Postgres' own unique violation, whose DETAIL its log keeps.
  it('C11: leaves no MAC in the error, and so none in the log of the server', async () => {
    const store = (userId: string) =>
      log.pools.writers.query('select latchkey.project_early($1, $2)', [
        JSON.stringify({
          credentials: [{ c: 1, identifier_mac: '\\xabcdef', user_id: userId, mac: 'm' }],
        }),
        [],
      ]);
    await store(newId());
    const error = await store(newId()).catch((reason) => reason);
    expect(error).toMatchObject({ code: '23505', constraint: 'credentials_pkey' });
    expect(error.detail).toBeUndefined();
    expect(JSON.stringify(error)).not.toContain('abcdef');
  });

  it('C11: may be changed by its user, whose old one is free again', async () => {
    const userId = newId();
    const store = (user: string, mac: string) =>
      log.pools.writers.query('select latchkey.project_early($1, $2)', [
        JSON.stringify({
          credentials: [{ c: 1, identifier_mac: `\\x${mac}`, user_id: user, mac: 'm' }],
        }),
        [],
      ]);
    await store(userId, 'aa');
    await store(userId, 'bb');
    await store(newId(), 'aa');
    const { rows } = await log.owner.query('select count(*)::int as n from latchkey.credentials');
    expect(rows[0].n).toBe(2);
  });
});
