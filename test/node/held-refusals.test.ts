import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeldRefusals } from '../../src/node/held-refusals.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const connection = () => Object.assign(new EventEmitter(), { destroyed: false });

/** Holds one refusal for a minute and tells what has become of it. */
function holdAMinute(refusals: HeldRefusals, client = connection(), network = '192.0.2.0/24') {
  const state: { left: boolean; client: typeof client; held?: boolean } = { left: false, client };
  void refusals.hold(60_000, { connection: client as never, network }).then((held) => {
    state.left = true;
    state.held = held;
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
    const refusals = new HeldRefusals({ heldMax: 2 });
    const states = [1, 2, 3].map(() => holdAMinute(refusals));
    await vi.advanceTimersByTimeAsync(0);
    expect(states.map(({ left }) => left)).toEqual([false, false, true]);
    expect(states[2]!.held).toBe(false);
    expect(refusals.held).toBe(2);
  });

  // Fails when one network may take every place: it would be answered without a pause.
  it('are no more of one network than its share, and the others keep theirs', async () => {
    const refusals = new HeldRefusals({ heldMax: 4, heldPerNetworkMax: 2 });
    const holdOf = (network: string) => holdAMinute(refusals, connection(), network);
    const flood = Array.from({ length: 5 }, () => holdOf('a'));
    const others = [holdOf('b'), holdOf('c')];
    await vi.advanceTimersByTimeAsync(0);
    expect(flood.map(({ left }) => left)).toEqual([false, false, true, true, true]);
    expect(flood.slice(2).map(({ held }) => held)).toEqual([false, false, false]);
    expect(others.map(({ left }) => left)).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([...flood.slice(0, 2), ...others].map(({ held }) => held)).toEqual(Array(4).fill(true));
  });

  // Fails when a network's share is not given back: it would never be held again.
  it('give their share back when they leave', async () => {
    const refusals = new HeldRefusals({ heldPerNetworkMax: 1 });
    const one = holdAMinute(refusals);
    one.client.emit('close');
    await vi.advanceTimersByTimeAsync(0);
    expect(one).toMatchObject({ left: true, held: true });
    const next = holdAMinute(refusals);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(next.left).toBe(false);
  });

  it('are, by default, at most 32 of one network and 256 of all', async () => {
    const refusals = new HeldRefusals();
    for (let n = 0; n < 33; n += 1) holdAMinute(refusals);
    expect(refusals.held).toBe(32);
    for (let n = 0; n < 300; n += 1) holdAMinute(refusals, connection(), `network ${n}`);
    expect(refusals.held).toBe(256);
  });

  // Fails when a client that asks and hangs up keeps its place: others would not be held.
  it('give their place back when the client leaves', async () => {
    const refusals = new HeldRefusals({ heldMax: 1 });
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
