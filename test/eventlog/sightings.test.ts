import { expect, test } from 'vitest';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { Sightings } from '../../src/eventlog/sightings.ts';

// Fails when what is compared is not what was asked for: a busy node would refuse its own log.
test('an event that is seen while the log is asked is not missing', async () => {
  const sightings = new Sightings();
  sightings.note([{ pos: 1, commandId: 'a' }]);
  const log: Queryable = {
    query: async () => {
      sightings.note([{ pos: 2, commandId: 'b' }]);
      // biome-ignore lint/suspicious/noExplicitAny: the rows are all that is read of a result
      return { rows: [{ pos: 1, command_id: 'a' }] } as any;
    },
  };
  expect(await sightings.findMissing(log)).toBeNull();
});
