import { describe, expect, test } from 'vitest';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';
import { createPasswordHasher } from '../../../src/platform/crypto/password-hash.ts';

const memoryKib = 1_024;
const password = 'violet kettle drums past midnight';
const turn = { group: '203.0.113.0/24' };

describe('a password hash', () => {
  test('is Argon2id with the given memory, one pass and one lane, and salted', async () => {
    const hasher = createPasswordHasher({ memoryKib });
    const hash = await hasher.hash(password, turn);
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=1024,t=1,p=1\$/);
    expect(await hasher.hash(password, turn)).not.toBe(hash);
  });

  test('takes 46 MiB unless told otherwise', async () => {
    expect(await createPasswordHasher().hash(password, turn)).toContain('$m=47104,t=1,p=1$');
  });

  test.each(['', 'a', 'ä🔑', '\u0000x', 'x'.repeat(1_024), '🔑'.repeat(1_024)])(
    'matches its own password of any length and no other',
    async (text) => {
      const hasher = createPasswordHasher({ memoryKib });
      const hash = await hasher.hash(text, turn);
      expect(await hasher.verify(hash, text, turn)).toEqual({ matches: true, needsRehash: false });
      expect(await hasher.verify(hash, `${text}x`, turn)).toEqual({
        matches: false,
        needsRehash: false,
      });
    },
  );

  test('asks to be made anew when it is weak and the password matches', async () => {
    const hash = await createPasswordHasher({ memoryKib: 512 }).hash(password, turn);
    const hasher = createPasswordHasher({ memoryKib });
    expect(await hasher.verify(hash, password, turn)).toEqual({ matches: true, needsRehash: true });
    expect(await hasher.verify(hash, 'another', turn)).toEqual({
      matches: false,
      needsRehash: false,
    });
  });
});

// Fails when: verify answers at once where there is no hash.
test('without a hash nothing matches, and the work is that of a real hash', async () => {
  const hasher = createPasswordHasher({ memoryKib: 65_536 });
  const hash = await hasher.hash(password, turn);
  // The best of five, side by side: what else the machine does only ever adds to a time.
  const best = { none: Number.POSITIVE_INFINITY, real: Number.POSITIVE_INFINITY };
  for (let round = 0; round < 5; round++) {
    for (const kind of ['none', 'real'] as const) {
      const begun = performance.now();
      const { matches } = await hasher.verify(kind === 'none' ? null : hash, 'another', turn);
      best[kind] = Math.min(best[kind], performance.now() - begun);
      expect(matches).toBe(false);
    }
  }
  expect(best.none).toBeGreaterThan(best.real / 3);
});

describe('the queue', () => {
  test('runs as many as allowed, lets the rest wait and sheds what is beyond', async () => {
    const hasher = createPasswordHasher({
      memoryKib,
      concurrencyMax: 2,
      queueMax: 3,
      groupQueueMax: 3,
    });
    const accepted = Array.from({ length: 5 }, () => hasher.hash(password, turn));
    expect([hasher.running, hasher.queued]).toEqual([2, 3]);
    const error = await hasher.verify(null, password, turn).catch((cause) => cause);
    expect(error).toBeInstanceOf(LatchkeyError);
    expect(error).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
    await Promise.all(accepted);
    expect([hasher.running, hasher.queued]).toEqual([0, 0]);
    expect((await hasher.verify(null, password, turn)).matches).toBe(false);
  });

  // Fails when: the permit is given back when the caller stops waiting.
  test('counts a hash until it has ended, also when nobody waits for it any more', async () => {
    const hasher = createPasswordHasher({ memoryKib: 65_536, concurrencyMax: 1, queueMax: 0 });
    const abandoned = hasher.hash(password, turn);
    await Promise.race([abandoned, Promise.resolve()]);
    await expect(hasher.hash(password, turn)).rejects.toThrow('unavailable');
    expect(hasher.running).toBe(1);
    await abandoned;
    expect(hasher.running).toBe(0);
  });

  test('gives the permit back when a hash fails', async () => {
    const hasher = createPasswordHasher({ memoryKib, concurrencyMax: 1, queueMax: 1 });
    const onBegin = () => Promise.reject(new Error('not paid'));
    await expect(hasher.verify(null, password, { ...turn, onBegin })).rejects.toThrow('not paid');
    expect(hasher.running).toBe(0);
    await expect(hasher.hash(password, turn)).resolves.toContain('$argon2id$');
  });
});
