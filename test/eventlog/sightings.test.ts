import { expect, test } from 'vitest';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { Sightings } from '../../src/eventlog/sightings.ts';
import { answering } from './answers.ts';

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

// Fails when the oldest are kept: a server that loses commits loses the latest.
test('the newest five hundred are remembered, the highest position for ever', async () => {
  const sightings = new Sightings();
  const posAsked: number[] = [];
  const log = answering(({ values }) => {
    posAsked.push(...(values![0] as number[]));
    return [];
  });
  sightings.note([{ pos: 9_000, commandId: null }]);
  for (let pos = 1; pos <= 1_024; pos += 1) sightings.note([{ pos, commandId: 'a' }]);
  expect(await sightings.findMissing(log)).toEqual({ pos: 513, commandId: 'a' });
  expect([posAsked.length, posAsked.at(-1)]).toEqual([512, 1_024]);
  expect(sightings.highestPos).toBe(9_000);
});
