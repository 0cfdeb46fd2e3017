import { describe, expect, it } from 'vitest';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import {
  findRevocations,
  greatestXactRead,
  nextPass,
  nothingRead,
  type PositionedRevocation,
  type RevocationPlace,
} from '../../src/tables/revocation.ts';

const read = (...xacts: number[]) =>
  xacts.map((xact) => ({ xact: String(xact) }) as PositionedRevocation);
const seenUpTo = (nextXact: number, ...open: number[]) => ({
  nextXact: String(nextXact),
  open: open.map(String),
});

describe('the greatest transaction that a pass has read', () => {
  // Fails when ids are compared as texts: '9' would be greater than '10'.
  it('is the greatest number among the entries and what was known', () => {
    expect(greatestXactRead('9', seenUpTo(20), read(10, 3))).toBe('10');
    expect(greatestXactRead('12', seenUpTo(20), read(10, 3))).toBe('12');
    expect(greatestXactRead('12', seenUpTo(20), [])).toBe('12');
  });

  // Fails when what the snapshot had not seen begin counts: an id between may still commit.
  it('is none that began after the snapshot', () => {
    expect(greatestXactRead('9', seenUpTo(20), read(19, 20, 21))).toBe('19');
    expect(greatestXactRead('9', seenUpTo(20), read(20))).toBe('9');
  });
});

describe('the next pass', () => {
  it('begins at the beginning where nothing was read', () => {
    expect(nextPass(nothingRead)).toStrictEqual({ after: { xact: '0', pos: -1 }, open: [] });
  });

  // Fails when it begins at the end of the snapshot: a server that crashed gives ids out again.
  it('begins behind the last id that was read, and looks at those open below it', () => {
    const seen = { snapshot: seenUpTo(20, 5, 15, 16, 18), greatestXact: '15' };
    expect(nextPass(seen)).toStrictEqual({ after: { xact: '16', pos: -1 }, open: ['5', '15'] });
  });

  it('begins at the end of the snapshot where what was read is of another server', () => {
    for (const greatestXact of ['20', '99']) {
      expect(nextPass({ snapshot: seenUpTo(20, 5), greatestXact })).toStrictEqual({
        after: { xact: '20', pos: -1 },
        open: ['5'],
      });
    }
  });
});

describe('the next page', () => {
  const after: RevocationPlace = { xact: '7', pos: 3 };
  const until = new Date(1_760_000_000_000);
  const row = (xact: number, pos: number, paged: boolean) => ({
    ...{ pos: String(pos), xact: String(xact), paged, until },
    ...{ target_kind: 'session', target: 'a session', epoch: null },
  });
  const pageOf = (rows: ReturnType<typeof row>[], open: string[], limit: number) =>
    findRevocations({ query: async () => ({ rows }) } as unknown as Queryable, {
      after,
      open,
      limit,
    });

  it('is none where this one is not full', async () => {
    expect((await pageOf([], [], 2)).next).toBeNull();
    expect((await pageOf([row(8, 4, true)], [], 2)).next).toBeNull();
    expect((await pageOf([row(5, 1, false), row(8, 4, true)], ['5'], 2)).next).toBeNull();
  });

  it('begins behind the last entry of a full one', async () => {
    const { next } = await pageOf([row(8, 4, true), row(9, 6, true)], [], 2);
    expect(next).toStrictEqual({ xact: '9', pos: 6 });
  });

  // Fails when the rest of a large open transaction is passed over.
  it('begins at the first open transaction where those alone fill this one', async () => {
    const { next } = await pageOf([row(9, 1, false), row(10, 2, false)], ['10', '9', '11'], 2);
    expect(next).toStrictEqual({ xact: '9', pos: -1 });
  });
});
