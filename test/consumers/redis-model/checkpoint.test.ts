import { describe, expect, it } from 'vitest';
import {
  advanced,
  beginningOf,
  checkpointText,
  epochBeside,
  markText,
  positionIn,
} from '../../../src/consumers/redis-model/checkpoint.ts';
import { newId } from '../../../src/platform/crypto/new-id.ts';

const log = { logId: newId(), logEpoch: newId() };
const text = checkpointText({ ...log, pos: 41, building: false });
const buildingText = checkpointText({ ...log, pos: 41, building: true });
const epoch = log.logEpoch;

describe('where the model begins', () => {
  it('at its checkpoint, also at an older one than this process remembers', () => {
    expect(beginningOf({ text, epoch }, log, 41)).toEqual({
      kind: 'resume',
      checkpoint: { ...log, pos: 41, building: false },
    });
  });

  it('at its checkpoint also when it is not whole yet, which has no epoch', () => {
    expect(beginningOf({ text: buildingText, epoch: null }, log, 41)).toEqual({
      kind: 'resume',
      checkpoint: { ...log, pos: 41, building: true },
    });
    expect(epochBeside({ ...log, pos: 41, building: true })).toBeNull();
  });

  it.each([
    ['missing', { text: null, epoch: null }],
    ['missing', { text: null, epoch }],
    ['missing', { text: 'clearing 0199f5a0', epoch }],
    ['missing', { text: markText('clearing', log, newId()), epoch: null }],
    ['asked', { text: markText('asked', log, newId()), epoch: null }],
    ['epoch', { text: buildingText, epoch }],
    ['missing', { text: `${text} and more`, epoch }],
    ['epoch', { text, epoch: null }],
    ['epoch', { text, epoch: newId() }],
    [
      'epoch',
      { text: checkpointText({ ...log, logEpoch: newId(), pos: 41, building: false }), epoch },
    ],
    ['version', { text: text.replace(/^\d+/, '999'), epoch }],
  ])('anew: %s', (why, found) => {
    expect(beginningOf(found, log, 41)).toEqual({ kind: 'rebuild', why });
  });

  it('anew when it is ahead of the log', () => {
    expect(beginningOf({ text, epoch }, log, 40)).toEqual({ kind: 'rebuild', why: 'ahead' });
  });

  it('nowhere when another log has its model there', () => {
    const other = newId();
    const foreign = checkpointText({ ...log, logId: other, pos: 7, building: false });
    expect(beginningOf({ text: foreign, epoch }, log, 41)).toEqual({
      kind: 'foreign',
      logId: other,
    });
    expect(positionIn(foreign, log)).toBeNull();
    expect(positionIn(text, log)).toBe(41);
  });

  // Fails when a worker of one log takes over what was asked for, or emptied, for another.
  it.each(['asked', 'clearing'] as const)('nowhere when it was %s for another log', (mark) => {
    const other = newId();
    const foreign = markText(mark, { logId: other }, newId());
    expect(beginningOf({ text: foreign, epoch: null }, log, 41)).toEqual({
      kind: 'foreign',
      logId: other,
    });
  });
});

describe('a model that is being built', () => {
  const from = { ...log, pos: 3, building: true };

  it.each([
    ['more of the log may follow', { caughtUpTo: null, head: 5 }, true],
    ['an append from before it began may still commit', { caughtUpTo: 4, head: 5 }, true],
    ['nothing from before it began is left', { caughtUpTo: 5, head: 5 }, false],
  ])('%s', (_, { caughtUpTo, head }, building) => {
    expect(advanced(from, { pos: 4, caughtUpTo, head })).toEqual({ ...log, pos: 4, building });
  });

  it('stays whole once it is', () => {
    const whole = { ...from, building: false };
    const to = { pos: 4, caughtUpTo: null, head: 9 };
    expect(advanced(whole, to)).toEqual({ ...log, pos: 4, building: false });
  });
});
