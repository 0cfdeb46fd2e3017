import { describe, expect, it } from 'vitest';
import type { SessionKey } from '../../src/domain/session/session-key.ts';
import { initialSession } from '../../src/domain/session/state.ts';
import { SessionKeyCache, SessionSigningKeyCache } from '../../src/node/session-key-cache.ts';
import { generateSessionKey } from '../../src/node/signing-keys.ts';

const startedAt = 1_760_000_000_000;
const hourMs = 3_600_000;
const { sessionKey: anyKey, signing } = await generateSessionKey('kid', 'Ed25519');

/** A cache whose clock and revocations the test sets. */
function createCache({ entriesMax = 100, bytesMax = 1_000_000 } = {}) {
  const world = { now: startedAt, revoked: new Set<string>() };
  const options = {
    entriesMax,
    bytesMax,
    clockSkewSeconds: 5,
    isRevoked: (sessionId: string) => world.revoked.has(sessionId),
    now: () => world.now,
  };
  const cache = new SessionKeyCache(options);
  return { ...world, world, cache, signingKeys: new SessionSigningKeyCache(options) };
}

function session(name: string, lifeMs = 24 * hourMs) {
  const sessionKey: SessionKey = { ...anyKey, kid: `kid of ${name}` };
  const expiresAt = startedAt + lifeMs;
  return { sessionId: name, state: { ...initialSession, userId: 'ada', expiresAt, sessionKey } };
}

describe('the public keys of sessions in memory', () => {
  it('are found by kid, with the session and the user that they belong to', () => {
    const { cache } = createCache();
    expect(cache.find('kid of a')).toBeUndefined();
    expect(cache.put(session('a'))).toBe(true);
    const owner = { sessionId: 'a', userId: 'ada' };
    expect(cache.find('kid of a')).toMatchObject({ kid: 'kid of a', alg: 'Ed25519', owner });
    expect(cache.find('kid of a')).toBe(cache.find('kid of a'));
    expect(cache.hits).toBe(3);
  });

  it('are bounded by their number and by their bytes', () => {
    const few = createCache({ entriesMax: 2 }).cache;
    for (const name of ['a', 'b', 'c']) few.put(session(name));
    expect([few.size, few.find('kid of a')]).toEqual([2, undefined]);
    const small = createCache({ bytesMax: 5_000 }).cache;
    for (const name of ['a', 'b', 'c']) small.put(session(name));
    expect(small.size).toBe(2);
    expect(small.bytes).toBeLessThanOrEqual(5_000);
  });

  it('are asked for again after an hour, and at the end of their session', () => {
    const { cache, world } = createCache();
    cache.put(session('long'));
    cache.put(session('short', 60_000));
    world.now = startedAt + 60_000 + 4_999;
    expect(cache.find('kid of short')).toBeDefined();
    world.now += 1;
    expect(cache.find('kid of short')).toBeUndefined();
    world.now = startedAt + hourMs - 1;
    expect(cache.find('kid of long')).toBeDefined();
    world.now += 1;
    expect(cache.find('kid of long')).toBeUndefined();
    expect(cache.put(session('short', 60_000))).toBe(false);
  });

  // Fails when the key of an ended session outlives the revocation that refuses its tokens.
  it('go when the revocation set forgets their session, and not before', () => {
    const { cache, world } = createCache();
    cache.put(session('a'));
    cache.endSession('a', startedAt + 1000);
    world.now = startedAt + 999;
    expect(cache.find('kid of a')).toBeDefined();
    world.now = startedAt + 1000;
    expect(cache.find('kid of a')).toBeUndefined();
  });

  // Fails when a look-up that read the row before the session ended brings its key in afterwards.
  it('are not taken in for a session that was revoked meanwhile', () => {
    const { cache, world, signingKeys } = createCache();
    world.revoked.add('a');
    expect(cache.put(session('a'))).toBe(false);
    expect(cache.find('kid of a')).toBeUndefined();
    signingKeys.put('a', signing);
    expect(signingKeys.find('a', 'kid')).toBeUndefined();
  });
});

describe('the private keys of sessions in memory', () => {
  it('are found by session and kid, until the session ends', () => {
    const { signingKeys } = createCache();
    signingKeys.put('a', signing);
    expect(signingKeys.find('a', 'kid')).toBe(signing);
    expect(signingKeys.find('a', 'another kid')).toBeUndefined();
    signingKeys.endSession('a');
    expect(signingKeys.find('a', 'kid')).toBeUndefined();
  });

  // Fails when the key of a session whose time is over, which no revocation ends, stays in memory.
  it('are opened again after an hour', () => {
    const { signingKeys, world } = createCache();
    signingKeys.put('a', signing);
    world.now = startedAt + hourMs;
    expect(signingKeys.find('a', 'kid')).toBe(signing);
    world.now += 1;
    expect(signingKeys.find('a', 'kid')).toBeUndefined();
  });
});
