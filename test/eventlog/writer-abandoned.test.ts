import { expect, it } from 'vitest';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { Writer } from '../../src/eventlog/writer.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { testSeal } from '../support/seal.ts';
import { sentAppend } from '../support/sent-append.ts';
import { commandOf, touch } from '../support/session-commands.ts';

// Fails when the parts of a broken batch are sent although every caller was told 503.
it('a broken batch whose callers have given up is not sent again in parts', async () => {
  const sent: number[] = [];
  const held = [Promise.withResolvers<never>(), Promise.withResolvers<never>()];
  const lane: Queryable = {
    query: async (statement) => {
      sent.push(sentAppend(statement)!.streamIds.length);
      await held[sent.length - 1]?.promise;
      return { rows: [{ version: 1, guard_v: '0', pos: '1' }], rowCount: 1 };
    },
  };
  const writer = new Writer({ lanes: [lane], readers: lane, seal: testSeal, deadlineMs: 100 });
  const append = () => writer.append(commandOf([touch(newId(), 'none')]));
  const refused = Promise.allSettled(Array.from({ length: 11 }, append));
  const poison = Object.assign(new Error('not null'), { code: '23502' });

  held[0]!.reject(poison);
  expect((await refused).every(({ status }) => status === 'rejected')).toBe(true);
  held[1]!.reject(poison);

  await append();
  expect(sent).toEqual([1, 10, 1]);
});
