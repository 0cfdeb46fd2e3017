import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isSessionKid } from '../../src/domain/session/session-key.ts';
import { makeSessionKey, SessionKeyPool } from '../../src/node/session-key-pool.ts';
import { importSigningKey } from '../../src/node/signing-keys.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';

const tagKey = createSecretKey(randomBytes(32));
const keyWrap = localKeyWrap([{ id: 'test', key: randomBytes(32) }]);

function createPool(readyMax: number) {
  const world = { made: 0, empty: 0, failures: [] as unknown[], broken: false };
  const pool = new SessionKeyPool({
    readyMax,
    make: async () => {
      if (world.broken) throw new Error('no randomness');
      world.made += 1;
      return makeSessionKey('Ed25519', tagKey, keyWrap);
    },
    onEmpty: () => {
      world.empty += 1;
    },
    onFailed: (error) => world.failures.push(error),
  });
  return { world, pool };
}

describe('the pool of session keys', () => {
  it('is filled ahead of need, to its size and no further', async () => {
    const { world, pool } = createPool(3);
    await Promise.all([pool.fill(), pool.fill()]);
    expect([pool.size, world.made]).toEqual([3, 3]);
  });

  it('hands each key out once, and makes another behind it', async () => {
    const { world, pool } = createPool(3);
    await pool.fill();
    const taken = await Promise.all([pool.take(), pool.take(), pool.take()]);
    expect(new Set(taken.map(({ sessionKey }) => sessionKey.kid)).size).toBe(3);
    expect(world.empty).toBe(0);
    await pool.fill();
    expect([pool.size, world.made]).toEqual([3, 6]);
  });

  it('makes a key on the spot when it is empty, and counts that', async () => {
    const { world, pool } = createPool(0);
    expect((await pool.take()).sessionKey.kid).toHaveLength(32);
    expect(world.empty).toBe(1);
  });

  it('survives a key that cannot be made', async () => {
    const { world, pool } = createPool(1);
    world.broken = true;
    await pool.fill();
    expect([pool.size, world.failures.length]).toEqual([0, 1]);
    world.broken = false;
    await pool.fill();
    expect(pool.size).toBe(1);
  });
});

describe.each(['Ed25519', 'ES256'] as const)('a session key (%s)', (alg) => {
  it('is wrapped for its kid, and shows nothing of its private part', async () => {
    const { signing, sessionKey, wrapped } = await makeSessionKey(alg, tagKey, keyWrap);
    const { kid, jwk } = sessionKey;
    expect(isSessionKid(kid, tagKey)).toBe(true);
    expect(jwk).toMatchObject({ kid, alg, use: 'sig' });
    expect(jwk).not.toHaveProperty('d');
    const opened = importSigningKey(kid, alg, await keyWrap.unwrap(kid, wrapped));
    expect(opened.privateKey.equals(signing.privateKey)).toBe(true);
    await expect(keyWrap.unwrap('another kid', wrapped)).rejects.toThrow('another key');
  });
});
