import { generateKeyPairSync } from 'node:crypto';
import { KeyRing } from '@latchkey/verifier/key-ring';
import { describe, expect, test } from 'vitest';
import { createIssuerKey, ringEntry } from './token-world.ts';

describe('a key ring', () => {
  test('keeps the prepared key of a kid that has not changed', async () => {
    const key = await createIssuerKey();
    const ring = new KeyRing();
    ring.replace([ringEntry(key, 'pending')]);
    const before = ring.find(key.signing.kid);
    ring.replace([ringEntry(key, 'active'), ringEntry(await createIssuerKey())]);
    expect(ring.size).toBe(2);
    expect(ring.find(key.signing.kid)).toMatchObject({ status: 'active', alg: 'ES256' });
    expect(ring.find(key.signing.kid)?.publicKey).toBe(before?.publicKey);
    expect(ring.find('__proto__')).toBeUndefined();
  });

  // Fails when: the fit of key and algorithm is not checked.
  test('refuses a key that does not fit its algorithm, and keeps what it had', async () => {
    const good = await createIssuerKey();
    const ring = new KeyRing();
    ring.replace([ringEntry(good)]);
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
    const misfits = [
      { alg: 'RS256', jwk: good.jwk },
      { alg: 'EdDSA', jwk: good.jwk },
      { alg: 'RS256', jwk: small.export({ format: 'jwk' }) },
      { alg: 'ES256', jwk: curve.export({ format: 'jwk' }) },
      { alg: 'ES256', jwk: (await createIssuerKey('RS256')).jwk },
      { alg: 'ES256', jwk: { kty: 'oct', k: 'AAAA' } },
      { alg: 'HS256', jwk: good.jwk },
    ];
    for (const misfit of misfits) {
      const entry = { ...ringEntry(good), ...misfit } as ReturnType<typeof ringEntry>;
      expect(() => ring.replace([entry]), JSON.stringify(misfit)).toThrow();
    }
    expect(ring.find(good.signing.kid)?.alg).toBe('ES256');
  });
});
