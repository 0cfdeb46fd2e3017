import { describe, expect, it } from 'vitest';
import { parseSnapshot } from '../../src/eventlog/snapshot.ts';

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
