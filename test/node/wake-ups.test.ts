import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/eventlog/command.ts';
import { HintedTimer } from '../../src/node/hinted-timer.ts';
import { WakeUps } from '../../src/node/wake-ups.ts';
import { commandOf } from '../support/session-commands.ts';

const hourMs = 3_600_000;

describe('hints', () => {
  // Fails when each hint begins a poll.
  it('without end begin a turn each 5 ms at most, and shorten the pause', async () => {
    let turns = 0;
    const timer: HintedTimer = new HintedTimer(() => {
      turns += 1;
      timer.schedule(hourMs);
    });
    timer.schedule(hourMs);
    const startedAt = performance.now();
    const hinted = () => {
      for (let each = 0; each < 1_000; each += 1) timer.hint();
      return turns;
    };
    await expect.poll(hinted, { interval: 1 }).toBeGreaterThan(9);
    timer.stop();
    expect(turns).toBeLessThan((performance.now() - startedAt) / 5 + 2);
  });

  // Fails when a hint during the work is taken for one that the work has seen.
  it('that come while the work is under way begin another turn', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let turns = 0;
    const timer: HintedTimer = new HintedTimer(() => {
      turns += 1;
      if (turns === 2) return resolve();
      timer.hint();
      timer.schedule(hourMs);
    });
    timer.schedule(0);
    await promise;
    timer.stop();
  });
});

describe('wake-ups', () => {
  const log = { logEpoch: 'the-epoch' };
  const revoking: Command = commandOf([], { revocations: [{} as never] });

  function publisher(publish: () => Promise<number>) {
    const sent: string[] = [];
    const link = {
      run: async <T>(work: (redis: never) => Promise<T>) =>
        work({
          publish: (_: string, message: string) => {
            sent.push(message);
            return publish();
          },
        } as never),
    };
    return { sent, wakeUps: new WakeUps({ link, processId: 'me', log }) };
  }

  it('are sent for a command that revokes, and for no other', () => {
    const { sent, wakeUps } = publisher(async () => 1);
    wakeUps.appended(commandOf([]));
    expect(sent).toEqual([]);
    wakeUps.appended(revoking);
    expect(sent).toEqual(['the-epoch me']);
  });

  // Fails when a thousand logouts are a thousand messages under way, or when the last is lost.
  it('of one process are one at a time, the last of them after the last commit', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const { sent, wakeUps } = publisher(() => promise);
    for (let each = 0; each < 1_000; each += 1) wakeUps.appended(revoking);
    expect(sent).toHaveLength(1);
    resolve(1);
    await expect.poll(() => sent.length).toBe(2);
  });

  it('that get lost cost nobody an error', async () => {
    const { sent, wakeUps } = publisher(() => Promise.reject(new Error('gone')));
    const again = () => {
      wakeUps.appended(revoking);
      return sent.length;
    };
    await expect.poll(again).toBeGreaterThan(2);
  });

  it('are for other processes of the same epoch', () => {
    const { wakeUps } = publisher(async () => 1);
    expect(wakeUps.isForUs('the-epoch another')).toBe(true);
    expect(wakeUps.isForUs('the-epoch me')).toBe(false);
    expect(wakeUps.isForUs('another-epoch another')).toBe(false);
    expect(wakeUps.isForUs('')).toBe(false);
  });
});
