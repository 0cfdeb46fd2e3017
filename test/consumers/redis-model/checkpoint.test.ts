import { describe, expect, it } from 'vitest';
import {
  beginningOf,
  checkpointText,
  positionIn,
} from '../../../src/consumers/redis-model/checkpoint.ts';
import { newId } from '../../../src/platform/crypto/new-id.ts';

const log = { logId: newId(), logEpoch: newId() };
const text = checkpointText({ ...log, pos: 41 });
const epoch = log.logEpoch;

describe('where the model begins', () => {
  it('at its checkpoint, also at an older one than this process remembers', () => {
    expect(beginningOf({ text, epoch }, log, 41)).toEqual({
      kind: 'resume',
      checkpoint: { ...log, pos: 41 },
    });
  });

  it.each([
    ['missing', { text: null, epoch: null }],
    ['missing', { text: null, epoch }],
    ['missing', { text: 'clearing 0199f5a0', epoch }],
    ['missing', { text: `${text} and more`, epoch }],
    ['epoch', { text, epoch: null }],
    ['epoch', { text, epoch: newId() }],
    ['epoch', { text: checkpointText({ ...log, logEpoch: newId(), pos: 41 }), epoch }],
    ['version', { text: text.replace(/^\d+/, '999'), epoch }],
  ])('anew: %s', (why, found) => {
    expect(beginningOf(found, log, 41)).toEqual({ kind: 'rebuild', why });
  });

  it('anew when it is ahead of the log', () => {
    expect(beginningOf({ text, epoch }, log, 40)).toEqual({ kind: 'rebuild', why: 'ahead' });
  });

  it('nowhere when another log has its model there', () => {
    const other = newId();
    const foreign = checkpointText({ ...log, logId: other, pos: 7 });
    expect(beginningOf({ text: foreign, epoch }, log, 41)).toEqual({
      kind: 'foreign',
      logId: other,
    });
    expect(positionIn(foreign, log)).toBeNull();
    expect(positionIn(text, log)).toBe(41);
  });
});
