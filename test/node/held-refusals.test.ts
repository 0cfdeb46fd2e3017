import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeldRefusals } from '../../src/node/held-refusals.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const connection = () => Object.assign(new EventEmitter(), { destroyed: false });

/** Holds one refusal for a minute and tells what has become of it. */
function holdAMinute(refusals: HeldRefusals, client = connection()) {
  const state = { left: false, client };
  void refusals.hold(60_000, client as never).then(() => {
    state.left = true;
  });
  return state;
}

describe('C2: held refusals', () => {
  it('leave when their time is over, and nothing of them stays on the connection', async () => {
    const refusals = new HeldRefusals();
    const one = holdAMinute(refusals);
    await vi.advanceTimersByTimeAsync(59_999);
    expect([one.left, refusals.held]).toEqual([false, 1]);
    await vi.advanceTimersByTimeAsync(1);
    expect([one.left, refusals.held, one.client.listenerCount('close')]).toEqual([true, 0, 0]);
  });

  // Fails when there is no bound: each is a request under way, here and in the proxy in front.
  it('are no more than their places: one more is not held', async () => {
    const refusals = new HeldRefusals(2);
    const states = [1, 2, 3].map(() => holdAMinute(refusals));
    await vi.advanceTimersByTimeAsync(0);
    expect(states.map(({ left }) => left)).toEqual([false, false, true]);
    expect(refusals.held).toBe(2);
  });

  // Fails when a client that asks and hangs up keeps its place: others would not be held.
  it('give their place back when the client leaves', async () => {
    const refusals = new HeldRefusals(1);
    const one = holdAMinute(refusals);
    one.client.emit('close');
    await vi.advanceTimersByTimeAsync(0);
    expect([one.left, refusals.held, vi.getTimerCount()]).toEqual([true, 0, 0]);
    const gone = holdAMinute(refusals, Object.assign(connection(), { destroyed: true }));
    await vi.advanceTimersByTimeAsync(0);
    expect(gone.left).toBe(true);
  });

  // Fails when only those are released that are held by then: a drain would wait for the others.
  it('leave at once when they are released, and so do those that come later', async () => {
    const refusals = new HeldRefusals();
    const early = [holdAMinute(refusals), holdAMinute(refusals)];
    refusals.release();
    const late = holdAMinute(refusals);
    await vi.advanceTimersByTimeAsync(0);
    expect([...early, late].map(({ left }) => left)).toEqual([true, true, true]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
