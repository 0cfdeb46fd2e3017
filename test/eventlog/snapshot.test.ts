import { describe, expect, it } from 'vitest';
import { LogIdentityError } from '../../src/eventlog/log-identity.ts';
import { parseSnapshot, readMoment } from '../../src/eventlog/snapshot.ts';
import { answering } from './answers.ts';

describe('a snapshot', () => {
  it('names the transactions that were open, and the first that had not begun', () => {
    expect(parseSnapshot('10:20:10,14,15')).toEqual({ nextXact: '20', open: ['10', '14', '15'] });
    expect(parseSnapshot('20:20:')).toEqual({ nextXact: '20', open: [] });
  });

  it('keeps ids beyond 2^53 exact', () => {
    expect(parseSnapshot('9007199254740993:9007199254740995:9007199254740993').open).toEqual([
      '9007199254740993',
    ]);
  });

  it('refuses any other text', () => {
    expect(() => parseSnapshot('12')).toThrow('not a snapshot');
  });
});

describe('a moment of the database', () => {
  const at = new Date(1_760_000_000_000);
  const primary = {
    ...{ snapshot: '10:20:10', at, standby: false, read_only: 'off', doubt: null, server: 'a' },
  };
  const readFrom = (change: Partial<Record<keyof typeof primary, unknown>>) =>
    readMoment(answering(() => [{ ...primary, ...change }]));

  it('has its snapshot, its clock and its server', async () => {
    expect(await readFrom({})).toStrictEqual({
      text: '10:20:10',
      snapshot: { nextXact: '20', open: ['10'] },
      at: at.getTime(),
      server: 'a',
    });
  });

  // Fails when a node renews its lease from a server that commits reach late or never.
  it.each([{ standby: true }, { read_only: 'on' }])(
    'is refused of a server with %j',
    async (change) => {
      await expect(readFrom(change)).rejects.toThrow(/not a writable primary/);
    },
  );

  it('is refused once any process has found the log incomplete', async () => {
    const read = readFrom({ doubt: 'position 7 is gone' });
    await expect(read).rejects.toThrow(LogIdentityError);
    await expect(read).rejects.toThrow(/position 7 is gone/);
  });
});
