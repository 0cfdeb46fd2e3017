import { slotCount } from '@latchkey/contract/slot';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { slotOf } from '../../src/domain/kernel/ids.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';

let log: TestLog;

beforeAll(async () => {
  log = await openTestLog();
});
afterAll(() => log.close());

// Fails when latchkey.slot_of takes other bits than slotOf, or the application may not call it.
it('the slot of an id is the same to Postgres as to us', async () => {
  const own = Array.from({ length: slotCount }, (_, slot) => newId(slot));
  const ids = [...own, ...fc.sample(fc.uuid(), 100)];
  const { rows } = await log.pools.readers.query({
    text: `select latchkey.slot_of(id) as slot
      from unnest($1::uuid[]) with ordinality as t(id, n) order by n`,
    values: [ids],
  });
  expect(rows.map(({ slot }) => slot)).toStrictEqual(ids.map(slotOf));
});

it('the users of a slot are found by an index', async () => {
  await log.owner.query('set enable_seqscan = off');
  const { rows } = await log.owner.query(
    'explain select user_id from latchkey.users where latchkey.slot_of(user_id) = 7',
  );
  expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('users_slot');
});
