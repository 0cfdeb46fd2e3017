import { randomUUID } from 'node:crypto';
import { hashOf, IdTable, parseId, shardCount } from '@latchkey/verifier/internal/id-table';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const idOf = (text: string) => parseId(text) ?? expect.fail(`${text} is no id`);

describe('parseId', () => {
  test('keeps all 128 bits', () => {
    expect(parseId('00000001-0002-0003-0004-000500000006')).toEqual({
      a: 1,
      b: 0x0002_0003,
      c: 0x0004_0005,
      d: 6,
    });
    expect(parseId('ffffffff-ffff-ffff-ffff-ffffffffffff')).toEqual({ a: -1, b: -1, c: -1, d: -1 });
  });

  test.each([
    '',
    'FFFFFFFF-ffff-ffff-ffff-ffffffffffff',
    'ffffffff-ffff-ffff-ffff-fffffffffff',
    'ffffffff-ffff-ffff-ffff-fffffffffffff',
    'ffffffff-ffff-ffff-fffff-ffffffffffff'.slice(0, 36),
    'gfffffff-ffff-ffff-ffff-ffffffffffff',
    'ffffffffffffffffffffffffffffffffffff',
    'ffffffff-ffff-ffff-ffff-ffffffff ff\u0130',
    '{fffffff-ffff-ffff-ffff-fffffffffff}',
  ])('refuses %j', (text) => {
    expect(parseId(text)).toBeNull();
  });
});

describe('the hash of an id', () => {
  // Fails when the key only starts a hash of xor and multiplications: each of these pairs of words
  // then collides, whatever the key.
  test('C11: cannot be aimed at one slot', () => {
    const { hashKey } = new IdTable();
    const chosen = Array.from({ length: 5_000 }, (_, c) => [1, 2, c, c ^ (c >>> 16)] as const);
    expect(new Set(chosen.map((words) => hashOf(hashKey, ...words))).size).toBeGreaterThan(4_990);
  });

  // Fails when a table has no key, or one that another table has too: two ids that fall into one
  // slot of one table would do so in each.
  test('C11: falls elsewhere in each table', () => {
    const tables = Array.from({ length: 50 }, () => new IdTable());
    const { a, b, c, d } = idOf(randomUUID());
    const hashes = new Set(tables.map(({ hashKey }) => hashOf(hashKey, a, b, c, d)));
    expect(hashes.size).toBeGreaterThan(45);
  });
});

describe('an id table', () => {
  test('keeps the greater value and the later end, in whatever order they come', () => {
    const id = idOf(randomUUID());
    const settings = [
      [3, 10],
      [5, 20],
      [4, 30],
    ] as const;
    for (const order of [settings, [...settings].reverse(), [...settings, ...settings]]) {
      const table = new IdTable();
      for (const [value, until] of order) table.raise(id, value, until);
      expect(table.get(id)).toBe(5);
      expect(table.size).toBe(1);
      table.prune(29, shardCount);
      expect(table.get(id)).toBe(5);
      table.prune(30, shardCount);
      expect(table.get(id)).toBe(-1);
    }
  });

  test('holds ends beyond 2038 and for ever', () => {
    const table = new IdTable();
    table.raise(idOf(randomUUID()), 0, 4_000_000_000);
    table.raise(idOf(randomUUID()), 0, Number.POSITIVE_INFINITY);
    table.prune(3_999_999_999, shardCount);
    expect(table.size).toBe(2);
    table.prune(4_000_000_000, shardCount);
    expect(table.size).toBe(1);
  });

  test('gives memory back after a prune', () => {
    const table = new IdTable();
    const before = table.bytes;
    for (let count = 0; count < 10_000; count++) table.raise(idOf(randomUUID()), 0, 10);
    expect(table.bytes).toBeGreaterThan(2 * before);
    table.prune(10, shardCount);
    expect(table.bytes).toBe(before);
  });

  // Fails when: a prune counts what stays wrongly, so that it does not fit into what is left.
  test('keeps what has not ended, however much', () => {
    const table = new IdTable();
    const [lasting, ending] = [20, 10].map((until) =>
      Array.from({ length: 3_000 }, (_, value) => {
        const id = idOf(randomUUID());
        table.raise(id, value, until);
        return id;
      }),
    );
    const before = table.bytes;
    table.prune(10, shardCount);
    expect(table.size).toBe(3_000);
    expect(table.bytes).toBeLessThan(before);
    expect(lasting!.every((id, value) => table.get(id) === value)).toBe(true);
    expect(ending!.every((id) => table.get(id) === -1)).toBe(true);
  });

  test('takes 24 bytes a slot, and at most two thirds of the slots are full', () => {
    const table = new IdTable();
    for (let count = 1; count <= 20_000; count++) {
      table.raise(idOf(randomUUID()), 0, 10);
      if (count % 1_000 === 0) {
        expect(table.bytes).toBeGreaterThanOrEqual(count * 1.5 * 24);
        expect(table.bytes).toBeLessThanOrEqual(Math.max(count * 5 * 24, 64 * 16 * 24));
      }
    }
  });

  test('is pruned part by part, and all of it in one round', () => {
    const table = new IdTable();
    for (let count = 0; count < 10_000; count++) table.raise(idOf(randomUUID()), 0, 10);
    table.prune(10, 1);
    // One part of 64 holds about 156.
    expect(table.size).toBeLessThan(9_950);
    expect(table.size).toBeGreaterThan(9_750);
    table.prune(10, shardCount - 1);
    expect(table.size).toBe(0);
  });

  // Fails when: one word is left out of the comparison of ids.
  test.each(['a', 'b', 'c', 'd'])('tells ids apart that differ in word %s alone', (word) => {
    const table = new IdTable();
    const ids = Array.from({ length: 4_000 }, (_, index) => ({
      ...{ a: 1, b: 2, c: 3, d: 4 },
      [word]: index - 2_000,
    }));
    for (const [index, id] of ids.entries()) {
      expect(table.get(id)).toBe(-1);
      table.raise(id, index, 10);
    }
    expect(ids.every((id, index) => table.get(id) === index)).toBe(true);
    expect(table.size).toBe(4_000);
  });

  test('does what a Map does, for any history over few and close ids', () => {
    const uuid = fc.tuple(fc.nat(3), fc.nat(40)).map(([high, low]) => {
      const hex = low.toString(16).padStart(4, '0');
      return `0198c0de-000${high}-7000-8000-00000000${hex}`;
    });
    const step = fc.oneof(
      { weight: 10, arbitrary: fc.tuple(uuid, fc.nat(5), fc.integer({ min: 1, max: 100 })) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 100 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const table = new IdTable();
        const model = new Map<string, { value: number; until: number }>();
        for (const each of steps) {
          if (typeof each === 'number') {
            table.prune(each, shardCount);
            for (const [key, { until }] of model) if (until <= each) model.delete(key);
            continue;
          }
          const [text, value, until] = each;
          table.raise(idOf(text), value, until);
          const known = model.get(text) ?? { value: 0, until: 0 };
          model.set(text, {
            value: Math.max(known.value, value),
            until: Math.max(known.until, until),
          });
        }
        expect(table.size).toBe(model.size);
        for (const each of steps) {
          if (typeof each === 'number') continue;
          expect(table.get(idOf(each[0]))).toBe(model.get(each[0])?.value ?? -1);
        }
      }),
    );
  });
});
