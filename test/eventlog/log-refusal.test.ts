import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { LogIdentityError, readLogIdentity } from '../../src/eventlog/log-identity.ts';
import { refusedRowReport } from '../../src/eventlog/refused-rows.ts';
import { answering } from './answers.ts';

const good = {
  ...{ log_id: 'log', log_epoch: 'epoch', head: '7', doubt: null },
  ...{ same_cluster: true, same_database: true, same_tables: true },
};
const logWith = (change: object) => answering(() => [{ ...good, ...change }]);

describe('the identity of a log', () => {
  const known = { logId: 'log', logEpoch: 'epoch' };

  it('is its id and its epoch', async () => {
    for (const log of [null, known]) {
      expect(await readLogIdentity(logWith({}), { log, seenPos: 7 })).toStrictEqual(known);
    }
  });

  it.each([
    [{ same_cluster: false }, /another database cluster/],
    [{ same_database: false }, /another database of this cluster/],
    [{ same_tables: false }, /made anew/],
    [{ log_id: 'other' }, /another log than/],
    [{ log_epoch: 'later' }, /new epoch/],
    [{ head: '6' }, /\(6\) is behind position 7/],
    [{ doubt: 'position 5 is gone' }, /incomplete: position 5 is gone/],
  ])('is refused with %j', async (change, message) => {
    const read = readLogIdentity(logWith(change), { log: known, seenPos: 7 });
    await expect(read).rejects.toThrow(LogIdentityError);
    await expect(read).rejects.toThrow(message);
    await expect(read).rejects.toMatchObject({ name: 'LogIdentityError' });
  });

  it('is none where the table is empty', async () => {
    const read = readLogIdentity(
      answering(() => []),
      { log: null, seenPos: 0 },
    );
    await expect(read).rejects.toThrow(/this is no log/);
  });
});

describe('a process whose log is refused', () => {
  const refusal = new LogIdentityError('another log');

  it('knows no log before it has looked', () => {
    expect(() => new LogGuard().logId).toThrow(/no log was checked/);
    expect(() => new LogGuard().require()).not.toThrow();
  });

  // Fails when a later refusal takes the place of the first, or the first is taken back.
  it('stays so, for the first reason', async () => {
    const heard: unknown[] = [];
    const guard = new LogGuard((...of) => void heard.push(of));
    await guard.check(logWith({}));
    guard.refuse(refusal);
    guard.refuse(new LogIdentityError('a second reason'));
    expect(guard.refused).toBe(refusal);
    expect(heard).toEqual([[refusal, 'log']]);
    await expect(guard.check(logWith({}))).rejects.toBe(refusal);
    expect(() => guard.require()).toThrow(
      expect.objectContaining({ code: 'unavailable', cause: refusal, retryAfterSeconds: 30 }),
    );
  });

  it('names no log when it refuses the first that it sees', async () => {
    const heard: unknown[] = [];
    const guard = new LogGuard((...of) => void heard.push(of));
    await expect(guard.check(logWith({ same_cluster: false }))).rejects.toThrow(/cluster/);
    expect(heard).toEqual([[guard.refused, null]]);
  });

  it('answers unavailable to who waits, and passes other failures on', async () => {
    const guard = new LogGuard();
    const cut = new Error('cut');
    const lost = answering(() => Promise.reject(cut));
    await expect(guard.checkConnection(lost)).rejects.toBe(cut);
    expect(guard.refused).toBeNull();
    await guard.checkConnection(logWith({}));
    const check = guard.checkConnection(logWith({ log_id: 'other' }));
    await expect(check).rejects.toMatchObject({ code: 'unavailable' });
  });

  // Fails when the doubt is dropped because the server took no writes just then.
  it('writes a lost event down for the others, as soon as it can', async () => {
    const guard = new LogGuard();
    await guard.check(logWith({}));
    guard.sightings.note([{ pos: 5, commandId: 'a' }]);
    let isReadOnly = true;
    const written: unknown[] = [];
    const log = answering(({ text, values }) => {
      if (text.includes('insert into latchkey.log_doubts')) {
        if (isReadOnly) throw new Error('read-only');
        written.push(values);
        return [];
      }
      return text.includes('log_meta') ? [good] : [];
    });
    await expect(guard.check(log)).rejects.toThrow(/lost events: .* position 5/);
    expect(written).toEqual([]);
    isReadOnly = false;
    await expect(guard.check(log)).rejects.toThrow(/lost events/);
    await expect(guard.check(log)).rejects.toThrow(/lost events/);
    const detail = 'the event at position 5 is gone or is another one';
    expect(written).toEqual([['epoch', 5, detail]]);
  });
});

describe('a row that is refused', () => {
  it('is an error in the log, and counts under its table', async () => {
    const registry = new Registry();
    const lines: unknown[] = [];
    const report = refusedRowReport(registry, { error: (fields) => void lines.push(fields) });
    report('users', 'alice');
    report('users', 'bob');
    expect(lines).toEqual([
      { table: 'users', row: 'alice' },
      { table: 'users', row: 'bob' },
    ]);
    expect(await registry.metrics()).toContain('latchkey_refused_rows_total{table="users"} 2');
  });
});
