import { TwoGenerationCache } from '@latchkey/verifier/internal/two-generation-cache';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** Of values that are their own size. */
const cacheOf = (sizeMax: number) => new TwoGenerationCache<number>(sizeMax, (size) => size);

describe('given a cache for a size of 10', () => {
  test('it holds what was put last under a key', () => {
    const cache = cacheOf(10);
    cache.set('a', 1);
    cache.set('a', 2);
    expect(cache.get('a')).toBe(2);
    expect([cache.count, cache.size]).toEqual([1, 2]);
  });

  // Fails when: a hit in the old generation does not move.
  test('what is asked for again and again stays, whatever else comes', () => {
    const cache = cacheOf(10);
    cache.set('kept', 1);
    for (let other = 0; other < 100; other++) {
      cache.set(`other ${other}`, 1);
      expect(cache.get('kept')).toBe(1);
    }
  });

  // Fails when: the old generation is never dropped.
  test('what nobody asks for goes', () => {
    const cache = cacheOf(10);
    cache.set('left', 1);
    for (let other = 0; other < 10; other++) cache.set(`other ${other}`, 1);
    expect(cache.get('left')).toBeUndefined();
  });

  test('a value of more than half is not kept, and the one before it is gone', () => {
    const cache = cacheOf(10);
    cache.set('a', 1);
    cache.set('a', 6);
    expect(cache.get('a')).toBeUndefined();
    expect([cache.count, cache.size]).toEqual([0, 0]);
  });
});

// Fails when: a value that moves or is replaced is counted twice, or an older one comes back.
test('whatever is put and asked for, it answers nothing old and keeps its bound', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const put = fc.record({ key, size: fc.integer({ min: 1, max: 8 }) });
  const ask = fc.record({ key });
  fc.assert(
    fc.property(fc.array(fc.oneof(put, ask), { maxLength: 60 }), (steps) => {
      const cache = cacheOf(10);
      const latest = new Map<string, number>();
      for (const step of steps) {
        if ('size' in step) {
          cache.set(step.key, step.size);
          latest.set(step.key, step.size);
        } else {
          expect([undefined, latest.get(step.key)]).toContain(cache.get(step.key));
        }
        expect(cache.size).toBeLessThanOrEqual(10);
      }
      const held = [...latest.keys()].flatMap((each) => cache.get(each) ?? []);
      expect(cache.count).toBeLessThanOrEqual(held.length);
    }),
  );
});
