import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sessionKid } from '../../src/domain/session/session-key.ts';
import { SessionKeyLookup } from '../../src/node/session-key-lookup.ts';
import type { SessionRecord } from '../../src/tables/session.ts';

const tagKey = createSecretKey(randomBytes(32));

function aKid(): string {
  return sessionKid(randomBytes(16), tagKey) ?? aKid();
}

const needed = (kid: string) =>
  ({ ok: false, code: 'key_needed', reason: 'key_unknown', kid }) as const;

/** A look-up whose database and clock the test plays. */
function createLookup(perSecondMax = 100) {
  const world = {
    now: 1_000,
    asked: [] as string[],
    live: new Set<string>(),
    known: new Set<string>(),
    answer: async (): Promise<void> => {},
  };
  const lookup = new SessionKeyLookup({
    tagKey,
    perSecondMax,
    now: () => world.now,
    find: async (kid) => {
      world.asked.push(kid);
      await world.answer();
      return world.live.has(kid) ? ({ sessionId: kid } as SessionRecord) : null;
    },
    cache: { put: ({ sessionId: kid }) => world.known.add(kid).has(kid) },
  });
  return { world, lookup };
}

describe('the look-up of a session key', () => {
  it('brings a key that is needed, and waits for nothing else', async () => {
    const { world, lookup } = createLookup();
    const kid = aKid();
    world.live.add(kid);
    await lookup.awaitedBy(needed(kid));
    expect([...world.known]).toEqual([kid]);
    expect(lookup.results).toMatchObject({ found: 1, absent: 0 });
    expect(lookup.awaitedBy({ ok: false, code: 'invalid_token', reason: 'kid' })).toBeNull();
    expect(world.asked).toEqual([kid]);
  });

  it('asks the database for no kid that somebody made up', () => {
    const { world, lookup } = createLookup();
    for (let count = 0; count < 10_000; count++) {
      const made = needed(randomBytes(24).toString('base64url'));
      expect(lookup.awaitedBy(made)).toBeNull();
      expect(lookup.hasEnded(made)).toBe(false);
    }
    expect(world.asked).toEqual([]);
  });

  it('asks once for a key that many wait for', async () => {
    const { world, lookup } = createLookup();
    const kid = aKid();
    world.live.add(kid);
    await Promise.all(Array.from({ length: 50 }, () => lookup.awaitedBy(needed(kid))));
    expect(world.asked).toEqual([kid]);
  });

  // Fails when the answer "there is none" is kept for ever, or not at all.
  it('remembers for half a minute that a key is not there', async () => {
    const { world, lookup } = createLookup();
    const kid = aKid();
    await lookup.awaitedBy(needed(kid));
    world.now = 30_999;
    expect(lookup.awaitedBy(needed(kid))).toBeNull();
    expect(lookup.hasEnded(needed(kid))).toBe(true);
    world.now = 31_001;
    await lookup.awaitedBy(needed(kid));
    expect(world.asked).toEqual([kid, kid]);
  });

  // Fails when a dead token, presented again, lowers the hit rate although nothing is looked for.
  it('counts a miss for each look-up, and none for a key that it knows to be absent', async () => {
    const { lookup } = createLookup();
    const kid = aKid();
    await Promise.all([lookup.awaitedBy(needed(kid)), lookup.awaitedBy(needed(kid))]);
    expect(lookup.misses).toBe(1);
    for (let count = 0; count < 10; count++) lookup.awaitedBy(needed(kid));
    expect(lookup.misses).toBe(1);
  });

  it('is unavailable beyond its rate, and goes on in the next second', async () => {
    const { world, lookup } = createLookup(3);
    for (let count = 0; count < 3; count++) await lookup.awaitedBy(needed(aKid()));
    await expect(lookup.awaitedBy(needed(aKid()))).rejects.toMatchObject({ code: 'unavailable' });
    expect(lookup.results.limited).toBe(1);
    world.now = 2_000;
    await lookup.awaitedBy(needed(aKid()));
    expect(world.asked).toHaveLength(4);
  });

  it('remembers no failure', async () => {
    const { world, lookup } = createLookup();
    const kid = aKid();
    world.live.add(kid);
    world.answer = () => Promise.reject(new Error('no database'));
    await expect(lookup.awaitedBy(needed(kid))).rejects.toThrow('no database');
    world.answer = async () => {};
    await lookup.awaitedBy(needed(kid));
    expect([...world.known]).toEqual([kid]);
    expect(lookup.results).toMatchObject({ failed: 1, found: 1 });
  });
});
