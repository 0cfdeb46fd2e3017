import { RevocationSet } from '@latchkey/verifier/revocation-set';
import { createVerifier } from '@latchkey/verifier/verify';
import { describe, expect, test } from 'vitest';
import {
  clientId,
  clockSkewSeconds,
  createIssuerKey,
  createWorld,
  decodePart,
  issuer,
  logId,
  mint,
  refusal,
  ringEntry,
  sessionId,
  signParts,
  start,
  ttlSeconds,
  userId,
} from './token-world.ts';

const untilMs = start + ttlSeconds * 1000;

describe.each(['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'] as const)(
  'a good token under %s',
  (alg) => {
    test('gives its claims, first from the signature and then from the cache', async () => {
      const world = await createWorld({ alg });
      const first = world.check(world.token);
      expect(first).toMatchObject({
        ok: true,
        claims: { iss: issuer, sub: userId, sid: sessionId, jti: `${sessionId}.1`, epoch: 0 },
      });
      expect(world.verifier.cachedTokens).toBe(1);
      const second = world.check(world.token);
      expect(second).toEqual(first);
      if (!first.ok || !second.ok) throw new Error('refused');
      expect(second.claims).toBe(first.claims);
    });

    // Fails when: isSignedBy returns true, authenticateToken skips it, or the cache, which finds a token
    // by its last characters, does not compare the others.
    test.each(['and was never seen before', 'and was cached before'])(
      'is refused with any one bit of any part flipped, %s',
      async (state) => {
        const world = await createWorld({ alg });
        if (state === 'and was cached before') world.check(world.token);
        const parts = world.token.split('.').map((part) => Buffer.from(part, 'base64url'));
        for (const [index, part] of parts.entries()) {
          const step = Math.max(1, Math.floor((part.length * 8) / 64));
          for (let bit = 0; bit < part.length * 8; bit += step) {
            const flipped = Buffer.from(part);
            flipped[bit >> 3]! ^= 1 << (bit & 7);
            const token = parts
              .map((original, at) => (at === index ? flipped : original).toString('base64url'))
              .join('.');
            expect(world.check(token).ok, `part ${index}, bit ${bit}`).toBe(false);
          }
        }
      },
    );
  },
);

describe.each([
  ['on a cache hit', 1_000_000],
  ['without a cache', 0],
])('%s', (_, cacheBytesMax) => {
  async function givenAcceptedToken(options: Parameters<typeof createWorld>[0] = {}) {
    const world = await createWorld({ cacheBytesMax, ...options });
    const token = await mint(world.key, { userEpoch: 3, client: { id: clientId, epoch: 2 } });
    expect(world.check(token).ok).toBe(true);
    expect(world.verifier.cachedTokens).toBe(cacheBytesMax === 0 ? 0 : 1);
    return { ...world, token };
  }

  // Fails when: refusalNow does not look at exp.
  test('an expired token is refused, the skew allowed', async () => {
    const { check, token } = await givenAcceptedToken();
    const last = ttlSeconds + clockSkewSeconds;
    expect(check(token, { secondsLater: last - 0.001 }).ok).toBe(true);
    expect(check(token, { secondsLater: last })).toEqual(refusal('expired'));
  });

  // Fails when: hasSession is not asked.
  test('a token of a revoked session is refused', async () => {
    const { check, token, revocations } = await givenAcceptedToken();
    revocations.apply({ kind: 'session', id: sessionId, untilMs });
    expect(check(token)).toEqual(refusal('session_revoked'));
  });

  // Fails when: hasKid is not asked.
  test('a token of a revoked kid is refused, also after its key has left the ring', async () => {
    const { check, token, revocations, ring } = await givenAcceptedToken();
    revocations.apply({ kind: 'kid', id: decodePart(token, 0).kid as string, untilMs });
    expect(check(token)).toEqual(refusal('key_revoked'));
    ring.replace([]);
    expect(check(token)).toEqual(refusal('key_revoked'));
  });

  // Fails when: refusalNow does not look at the key's status.
  test('a token of a key that the ring calls revoked is refused', async () => {
    const { check, token, key, ring } = await givenAcceptedToken();
    ring.replace([ringEntry(key, 'revoked')]);
    expect(check(token)).toEqual(refusal('key_revoked'));
  });

  test.each(['pending', 'retiring'] as const)('a token of a %s key is accepted', async (status) => {
    const { check, token, key, ring } = await givenAcceptedToken();
    ring.replace([ringEntry(key, status)]);
    expect(check(token).ok).toBe(true);
  });

  // Fails when: a cached token is returned without comparing its key with the ring's.
  test('a token whose kid names another key by now, or none, is not accepted', async () => {
    const { check, token, key, ring } = await givenAcceptedToken();
    const other = await createIssuerKey();
    ring.replace([{ ...ringEntry(other), kid: key.signing.kid }]);
    expect(check(token)).toEqual(refusal('signature'));
    ring.replace([]);
    expect(check(token)).toMatchObject(refusal('key_unknown', 'key_needed'));
  });

  // Fails when: userEpoch is not asked, or <= stands for <.
  test('a token with a lower user epoch is stale, one with the same is good', async () => {
    const { check, token, revocations } = await givenAcceptedToken();
    revocations.apply({ kind: 'user', id: userId, epoch: 3, untilMs });
    expect(check(token).ok).toBe(true);
    revocations.apply({ kind: 'user', id: userId, epoch: 4, untilMs });
    expect(check(token)).toEqual(refusal('user_epoch', 'token_stale'));
  });

  // Fails when: clientEpoch is not asked, or <= stands for <.
  test('a token with a lower client epoch is invalid, one with the same is good', async () => {
    const { check, token, revocations } = await givenAcceptedToken();
    revocations.apply({ kind: 'client', id: clientId, epoch: 2, untilMs });
    expect(check(token).ok).toBe(true);
    revocations.apply({ kind: 'client', id: clientId, epoch: 3, untilMs });
    expect(check(token)).toEqual(refusal('client_epoch'));
  });

  // Fails when: the lease is not asked.
  test('after the lease nothing is accepted, until a poll that began later succeeds', async () => {
    const { check, token, lease } = await givenAcceptedToken({ leaseSeconds: 30 });
    expect(check(token, { secondsLater: 29.999 }).ok).toBe(true);
    expect(check(token, { secondsLater: 30 })).toEqual(refusal('lease', 'unavailable'));
    lease.renew({ now: start + 25_000, monotonicNow: 25_000 });
    expect(check(token, { secondsLater: 30 }).ok).toBe(true);
  });

  // Fails when: one lease stands for all logs, or the slot is not that of the session id.
  test('a log that is out refuses the tokens of its own slots and no other', async () => {
    const { check, key, token, leases } = await givenAcceptedToken();
    const elsewhere = await mint(key, { sessionId: '0198c0de-0000-77ff-8000-00000000000e' });
    leases.put('another log', [0x7ff]);
    expect(check(token).ok).toBe(true);
    expect(check(elsewhere)).toEqual(refusal('lease', 'unavailable'));
    leases.ofLog('another log').renew({ now: start, monotonicNow: 0 });
    expect(check(elsewhere).ok).toBe(true);
    leases.ofLog(logId).forfeit();
    expect(check(token)).toEqual(refusal('lease', 'unavailable'));
    expect(check(elsewhere).ok).toBe(true);
  });

  // Fails when: the lease is asked before what is known to be revoked.
  test('after the lease a token that is known to be revoked is still called invalid', async () => {
    const { check, token, revocations } = await givenAcceptedToken({ leaseSeconds: 30 });
    revocations.apply({ kind: 'session', id: sessionId, untilMs });
    expect(check(token, { secondsLater: 31 })).toEqual(refusal('session_revoked'));
  });

  test('by policy a stale node serves until exp', async () => {
    const { check, token } = await givenAcceptedToken({ leaseSeconds: 30, policy: 'serve' });
    expect(check(token, { secondsLater: 600 }).ok).toBe(true);
    expect(check(token, { secondsLater: 1_000 })).toEqual(refusal('expired'));
  });

  // Fails when: prune drops an entry at `untilMs` without the skew.
  test('a revoked token is never accepted, whenever the set is pruned', async () => {
    const { check, token, revocations } = await givenAcceptedToken();
    revocations.apply({ kind: 'session', id: sessionId, untilMs });
    const end = ttlSeconds + clockSkewSeconds;
    for (let second = 0; second <= end + 5; second += second < end - 10 ? 10 : 0.5) {
      revocations.prune(start + second * 1000);
      expect(check(token, { secondsLater: second }).ok, `${second} s later`).toBe(false);
    }
    expect(revocations.size).toBe(0);
  });

  // Fails when: refusalNow does not look at prunedThroughMs.
  test('a clock that goes back behind a prune gives no revoked token its life back', async () => {
    const { check, token, revocations } = await givenAcceptedToken();
    revocations.apply({ kind: 'session', id: sessionId, untilMs });
    revocations.prune(untilMs + 60_000);
    expect(check(token)).toEqual(refusal('clock_behind_pruning', 'unavailable'));
  });
});

describe('recognition, for a logout with a token that is no longer good', () => {
  // Fails when: a token that anybody could make ends a session.
  test('knows every token that the issuer signed, whatever has become of it', async () => {
    const { key, verifier, revocations } = await createWorld();
    const token = await mint(key, { expiresAt: start - 1_000, issuedAt: start - 2_000 });
    revocations.apply({ kind: 'session', id: sessionId, untilMs });
    expect(verifier.recognize(token)).toEqual({ ok: true, claims: decodePart(token, 1) });
  });

  test('knows none of another issuer, of a strange key or of a revoked one', async () => {
    const { key, ring, verifier, token } = await createWorld();
    const other = await mint(key, { issuer: 'https://other.example.test' });
    expect(verifier.recognize(other)).toEqual(refusal('issuer'));
    const stranger = await createIssuerKey();
    const strange = await mint(stranger);
    const needed = { ...refusal('key_unknown', 'key_needed'), kid: stranger.signing.kid };
    expect(verifier.recognize(strange)).toEqual(needed);
    expect(verifier.recognize('x')).toEqual(refusal('not_a_token'));
    ring.replace([ringEntry(key, 'revoked')]);
    expect(verifier.recognize(token)).toEqual(refusal('key_revoked'));
  });

  test('does not fail where a key has left the ring', async () => {
    const { ring, verifier, token, key } = await createWorld();
    verifier.recognize(token);
    ring.replace([]);
    const needed = { ...refusal('key_unknown', 'key_needed'), kid: key.signing.kid };
    expect(verifier.recognize(token)).toEqual(needed);
  });
});

describe('what is no text', () => {
  test('is no token', async () => {
    const { check } = await createWorld();
    for (const value of [undefined, null, 7, {}]) {
      expect(check(value as unknown as string)).toEqual(refusal('not_a_token'));
    }
  });
});

describe('the cache', () => {
  test('holds no more than its bytes', async () => {
    const world = await createWorld({ cacheBytesMax: 20_000 });
    for (let generation = 1; generation <= 20; generation++) {
      expect(world.check(await mint(world.key, { generation })).ok).toBe(true);
    }
    expect(world.verifier.cachedBytes).toBeLessThanOrEqual(20_000);
    expect(world.verifier.cachedTokens).toBeGreaterThan(2);
    expect(world.verifier.cachedTokens).toBeLessThan(20);
  });

  // Fails when: a refused token is put in the cache.
  test('is not filled by tokens that do not verify', async () => {
    const world = await createWorld();
    const stranger = await createIssuerKey();
    const header = decodePart(world.token, 0);
    world.check(signParts(stranger, header, decodePart(world.token, 1)));
    expect(world.verifier.cachedTokens).toBe(0);
  });
});

// Fails when: the comparison in createVerifier is removed.
test('a verifier does not start with a greater skew than its revocation set keeps', async () => {
  const { ring, leases } = await createWorld();
  const revocations = new RevocationSet({ clockSkewSeconds: 4 });
  const options = { issuer, keyRing: ring, revocations, leases, cacheBytesMax: 0 };
  expect(() => createVerifier({ ...options, clockSkewSeconds: 5 })).toThrow(/forget/);
  expect(() => createVerifier({ ...options, clockSkewSeconds: 4 })).not.toThrow();
});
