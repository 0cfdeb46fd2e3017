import { describe, expect, it } from 'vitest';
import { startLoop } from '../../src/worker/loop.ts';

const hourMs = 3_600_000;

/** A loop whose turns end as they are told; resolves once so many turns have begun. */
function loopOf(turn: (count: number) => Promise<number>, pauses: Parameters<typeof startLoop>[1]) {
  let begun = 0;
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const loop = startLoop(() => {
    begun += 1;
    for (const { count, resolve } of waiting) if (count <= begun) resolve();
    return turn(begun);
  }, pauses);
  const hasBegun = (count: number) =>
    new Promise<void>((resolve) => {
      if (count <= begun) resolve();
      else waiting.push({ count, resolve });
    });
  return { ...loop, hasBegun, turns: () => begun };
}

describe('a loop', () => {
  // Fails when a turn that asks for an hour is left alone for it, or the loop runs once only.
  it('runs at once, and again after the longest pause at the latest', async () => {
    const loop = loopOf(async () => hourMs, { least: 1, most: 2, afterFailure: hourMs });
    await loop.hasBegun(3);
    await loop.stop();
  });

  it('waits as long as the turn has asked for, not the longest pause', async () => {
    const loop = loopOf(async () => 0, { least: 1, most: hourMs, afterFailure: hourMs });
    await loop.hasBegun(3);
    await loop.stop();
  });

  it('tries again after a failure', async () => {
    const fail = () => Promise.reject(new Error('the database is away'));
    const loop = loopOf(fail, { least: hourMs, most: hourMs, afterFailure: 1 });
    await loop.hasBegun(3);
    await loop.stop();
  });

  // Fails when `stop` does not wait: a pool would end below a statement.
  it('stops after the turn that is under way, and never runs again', async () => {
    const ended: string[] = [];
    let finish = () => {};
    const turn = () => new Promise<number>((resolve) => (finish = () => resolve(0)));
    const loop = loopOf(turn, { least: 0, most: 0, afterFailure: 0 });
    await loop.hasBegun(1);
    const stopping = loop.stop().then(() => ended.push('stop'));
    ended.push('turn');
    finish();
    await stopping;
    expect(ended).toEqual(['turn', 'stop']);
    const other = loopOf(async () => 0, { least: 1, most: 1, afterFailure: 1 });
    await other.hasBegun(3);
    await other.stop();
    expect(loop.turns()).toBe(1);
  });
});
