import { slotCount } from '@latchkey/contract/slot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  administratorsGuardId,
  derivedId,
  derivedSlot,
  homeSlot,
  isId,
  issuerKeysetId,
  slotOf,
  slotText,
} from '../../../src/domain/kernel/ids.ts';
import { drawSlot, newId } from '../../../src/platform/crypto/new-id.ts';

const slots = fc.integer({ min: 0, max: slotCount - 1 });
const variant = /^[89ab]$/;

describe('a new id', () => {
  // Fails when the slot stands in other bits than `rand_a`.
  it('carries the slot that it was made for, and stays a UUIDv7', () => {
    fc.assert(
      fc.property(slots, (slot) => {
        const id = newId(slot);
        expect(isId(id)).toBe(true);
        expect(id[14]).toBe('7');
        expect(id[19]).toMatch(variant);
        expect(slotOf(id)).toBe(slot);
        expect(id.slice(15, 18)).toBe(slotText(slot));
      }),
    );
  });

  // Fails when the slot displaces bits of the time.
  it('says when it was made', () => {
    const before = Date.now();
    const id = newId(slotCount - 1);
    const madeAt = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
    expect(madeAt).toBeGreaterThanOrEqual(before);
    expect(madeAt).toBeLessThanOrEqual(Date.now() + 1);
  });

  // Fails when the slot takes the place of all that tells two ids of one millisecond apart.
  it('is another than those made in the same millisecond', () => {
    const ids = Array.from({ length: 20_000 }, () => newId(5));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is in the home slot when it belongs to no user', () => {
    expect(slotOf(newId())).toBe(homeSlot);
    expect(slotOf(issuerKeysetId)).toBe(homeSlot);
    expect(slotOf(administratorsGuardId)).toBe(homeSlot);
  });

  it('is refused for a slot that is none', () => {
    for (const slot of [-1, slotCount, 0.5, Number.NaN]) expect(() => newId(slot)).toThrow(/slot/);
  });
});

describe('the slot of an id', () => {
  it('is that of no other text', () => {
    for (const text of ['', 'alice', newId(7).toUpperCase(), `${newId(7)} `]) {
      expect(() => slotOf(text)).toThrow(/only an id/);
    }
  });
});

describe('a derived id', () => {
  const parts = fc.array(fc.string(), { minLength: 1, maxLength: 3 });

  it('depends on its slot and its parts, and is a UUIDv8 in that slot', () => {
    fc.assert(
      fc.property(slots, parts, (slot, given) => {
        const id = derivedId(slot, ...given);
        expect(derivedId(slot, ...given)).toBe(id);
        expect(isId(id)).toBe(true);
        expect(id[14]).toBe('8');
        expect(id[19]).toMatch(variant);
        expect(slotOf(id)).toBe(slot);
      }),
    );
  });

  // Fails when the parts are joined without their lengths.
  it('tells where one part ends', () => {
    expect(derivedId(3, 'ab', 'c')).not.toBe(derivedId(3, 'a', 'bc'));
  });
});

describe('what is derived', () => {
  // Fails when anything goes into the hash in another way: a retry would meet nothing of its own.
  it('is the same in every release', () => {
    expect(issuerKeysetId).toBe('c54b05d0-e757-8000-b09b-4fb69e12d7ea');
    expect(derivedId(9, 'register', '', 'key 1')).toBe('94aff80f-6791-8009-8558-9324809521a3');
    expect(derivedSlot('register', '', 'key 1')).toBe(1609);
  });
});

describe('the slot of a new user', () => {
  // Fails when one slot is taken for all, or some bits of it are always the same. 20,000 draws miss
  // about 31 slots of 4,096.
  it.each([
    ['drawn', () => drawSlot()],
    ['derived from an Idempotency-Key', (n: number) => derivedSlot('register', '', `key ${n}`)],
  ])('is any, when it is %s', (_, slot) => {
    const seen = new Set(Array.from({ length: 20_000 }, (_, n) => slot(n)));
    expect(seen.size).toBeGreaterThan(slotCount - 100);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...seen)).toBeLessThan(slotCount);
  });
});
