import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { adoptLog, proveLog } from '../../src/eventlog/log-proof.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { commandOf, touch } from '../support/session-commands.ts';

let log: TestLog;

beforeEach(async () => {
  log = await openTestLog();
  await append();
});
afterEach(() => log.close());

const append = () => log.writer.append(commandOf([touch(newId(), 'none')]));
/** As pg_upgrade does: everything is there, in a cluster of another identity. */
const move = () =>
  log.owner.query('update latchkey.log_meta set system_identifier = system_identifier + 1');
const check = () => new LogGuard().check(log.pools.readers);

describe('a log that was moved', () => {
  it('F14: is refused, and accepted once it was proven to be the same', async () => {
    const proof = await proveLog(log.owner);
    await move();
    await expect(check()).rejects.toThrow('latchkey log adopt');
    await adoptLog(log.owner, JSON.parse(JSON.stringify(proof)));
    await check();
  });

  it.each([
    ['an event was lost', 'delete from latchkey.events', 'events'],
    ['a row was changed', 'update latchkey.streams set version = 9 where kind <> 0', 'streams'],
    ['the sequence was left behind', "select setval('latchkey.event_pos', 1, false)", 'head'],
    ['it is another log', 'update latchkey.log_meta set log_id = gen_random_uuid()', 'log_id'],
    [
      'another epoch began',
      'update latchkey.log_meta set log_epoch = gen_random_uuid()',
      'log_epoch',
    ],
  ])('F14: is refused when %s', async (_, damage, part) => {
    const proof = await proveLog(log.owner);
    await log.owner.query('alter table latchkey.events disable trigger user');
    await log.owner.query(damage);
    await move();
    await expect(adoptLog(log.owner, proof)).rejects.toThrow(part);
    await expect(check()).rejects.toThrow('it is a copy');
  });

  it('F14: has the same proof whatever formats the session was given', async () => {
    const proof = await proveLog(log.owner);
    await log.owner.query("set timezone = 'Asia/Tokyo'");
    await log.owner.query("set datestyle = 'SQL, DMY'");
    await log.owner.query("set bytea_output = 'escape'");
    expect(await proveLog(log.owner)).toEqual(proof);
  });
});
