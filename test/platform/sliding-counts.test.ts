import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlidingCounts } from '../../src/platform/sliding-counts.ts';

const windowMs = 60_000;

function counts(cellsPerRow?: number) {
  const clock = { now: 5 * windowMs };
  const options = { windowMs, now: () => clock.now };
  const sketch = new SlidingCounts(
    cellsPerRow === undefined ? options : { ...options, cellsPerRow },
  );
  return { sketch, clock };
}

describe('sliding counts', () => {
  test('count by key, and take back what was counted', () => {
    const { sketch } = counts();
    sketch.add('a');
    const second = sketch.add('a');
    sketch.add('b');
    expect([sketch.count('a'), sketch.count('b'), sketch.count('c')]).toEqual([2, 1, 0]);
    sketch.undo(second);
    expect([sketch.count('a'), sketch.count('b')]).toEqual([1, 1]);
  });

  test('fade out over the window that follows, and are then forgotten', () => {
    const { sketch, clock } = counts();
    for (let n = 0; n < 8; n += 1) sketch.add('a');
    clock.now += windowMs;
    expect(sketch.count('a')).toBe(8);
    clock.now += windowMs / 4;
    expect(sketch.count('a')).toBe(6);
    clock.now += (windowMs * 3) / 4;
    expect(sketch.count('a')).toBe(0);
  });

  test('forget everything over two idle windows', () => {
    const { sketch, clock } = counts();
    const counted = sketch.add('a');
    clock.now += 2 * windowMs;
    expect(sketch.count('a')).toBe(0);
    sketch.undo(counted);
    expect(sketch.count('a')).toBe(0);
  });

  // Fails when `undo` writes to the window of now instead of the one that it counted in.
  test('take back what was counted in the window before', () => {
    const { sketch, clock } = counts();
    const counted = sketch.add('a');
    clock.now += windowMs;
    sketch.add('a');
    sketch.undo(counted);
    expect(sketch.count('a')).toBe(1);
  });

  test('say how long until there is room: not sooner, and not much later', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 120 }),
        (limit, pauses) => {
          const { sketch, clock } = counts(64);
          for (const pause of pauses) {
            clock.now += pause;
            if (sketch.waitMs('a', limit) === 0) sketch.add('a');
            else break;
          }
          const waitMs = sketch.waitMs('a', limit);
          if (waitMs === 0) return;
          clock.now += waitMs * 0.99;
          expect(sketch.waitMs('a', limit)).toBeGreaterThan(0);
          clock.now += waitMs * 0.01 + 0.001;
          expect(sketch.waitMs('a', limit)).toBe(0);
        },
      ),
    );
  });

  // Fails when the least cell of a key is not the one that counts.
  test('are never too low, however many keys share the cells', () => {
    const { sketch } = counts(16);
    for (let n = 0; n < 400; n += 1) sketch.add(`key ${n % 100}`);
    for (let n = 0; n < 100; n += 1) expect(sketch.count(`key ${n}`)).toBeGreaterThanOrEqual(4);
  });
});

describe('C4: 120,000 networks', () => {
  const networks = Array.from(
    { length: 120_000 },
    (_, n) => `2001:${(n >> 8).toString(16)}:${(n & 255).toString(16)}::/48`,
  );

  // Fails when each key has an entry of its own: 120,000 of them took 290 MB.
  test('take no more bytes than one', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const bytes = () => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const { sketch } = counts();
    sketch.add(networks[0]!);
    const before = bytes();
    for (const network of networks) sketch.add(network);
    expect(bytes() - before).toBeLessThan(4 * 2 ** 20);
    expect(sketch.count(networks[0]!)).toBeGreaterThanOrEqual(2);
  });

  // Fails when counts are evicted to make room: new networks would reset the count of the first.
  test('reset no count, and cost a newcomer next to nothing', () => {
    const { sketch } = counts();
    for (let n = 0; n < 60; n += 1) sketch.add('2001:db8::/48');
    for (const network of networks) sketch.add(network);
    expect(sketch.waitMs('2001:db8::/48', 60)).toBeGreaterThan(0);
    expect(sketch.count('2001:db8:1::/48')).toBeLessThan(10);
    expect(sketch.waitMs('2001:db8:1::/48', 60)).toBe(0);
  });
});
