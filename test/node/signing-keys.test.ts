import type { KeyStatus, KeysetKey } from '@latchkey/contract/keyset-key';
import { calculateJwkThumbprint, importJWK } from 'jose';
import { describe, expect, test } from 'vitest';
import {
  ActiveSigningKey,
  buildJwks,
  generateSigningKey,
  importSigningKey,
} from '../../src/node/signing-keys.ts';

const algorithms = ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'] as const;

async function keysetKey(alg: (typeof algorithms)[number], status: KeyStatus): Promise<KeysetKey> {
  const { kid, jwk } = await generateSigningKey(alg);
  const times = { activatedAt: null, retiredAt: null, removeAfter: null, revokedAt: null };
  return { kid, alg, jwk, status, generatedAt: 0, ...times };
}

describe.each(algorithms)('a signing key for %s', (alg) => {
  test('is named by its thumbprint (RFC 7638); its public part has no private member', async () => {
    const { kid, jwk, privateJwk } = await generateSigningKey(alg);
    expect(kid).toBe(await calculateJwkThumbprint(jwk));
    expect(jwk).toMatchObject({ use: 'sig', alg, kid });
    const members = Object.keys(jwk);
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) {
      expect(members).not.toContain(secret);
    }
    const { alg: imported, privateKey } = importSigningKey(kid, alg, privateJwk);
    expect([imported, privateKey.type]).toEqual([alg, 'private']);
    await expect(importJWK(jwk)).resolves.toBeDefined();
  });
});

// Fails when `latchkey keys revoke <kid>` takes one kid in 64 for an option.
test('no kid begins as an option of a command line does', async () => {
  const keys = await Promise.all(Array.from({ length: 500 }, () => generateSigningKey('Ed25519')));
  expect(keys.filter(({ kid }) => kid.startsWith('-'))).toEqual([]);
});

describe('the JWKS document', () => {
  test('lists pending, active and retiring keys and leaves revoked ones out', async () => {
    const keys = [
      await keysetKey('ES256', 'retiring'),
      await keysetKey('ES256', 'revoked'),
      await keysetKey('RS256', 'active'),
      await keysetKey('EdDSA', 'pending'),
    ];
    const { body, etag } = buildJwks({ keys });
    const kids = JSON.parse(body).keys.map((key: { kid: string }) => key.kid);
    expect(kids).toEqual([keys[0]?.kid, keys[2]?.kid, keys[3]?.kid]);
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    expect(buildJwks({ keys }).etag).toBe(etag);
    expect(buildJwks({ keys: keys.slice(1) }).etag).not.toBe(etag);
  });

  // Fails when: the members are copied instead of picked.
  test('has no private member, even if the keyset held one', async () => {
    const key = await keysetKey('RS256', 'active');
    const jwk = { ...key.jwk, d: 'secret', p: 'secret', k: 'secret', oth: 'secret' };
    const { body } = buildJwks({ keys: [{ ...key, jwk }] });
    expect(body).not.toContain('secret');
    expect(Object.keys(JSON.parse(body).keys[0]).sort()).toEqual([
      'alg',
      'e',
      'kid',
      'kty',
      'n',
      'use',
    ]);
  });
});

test('nothing is signed before a key is there', async () => {
  const active = new ActiveSigningKey();
  expect(() => active.get()).toThrow(expect.objectContaining({ code: 'unavailable' }));
  const { kid, privateJwk } = await generateSigningKey('ES256');
  active.replace(importSigningKey(kid, 'ES256', privateJwk));
  expect(active.get().kid).toBe(kid);
});

// A key is asked for before the append, which may yet be refused.
test('a key counts what it has signed, not how often it was asked for', async () => {
  const active = new ActiveSigningKey();
  const { kid, privateJwk } = await generateSigningKey('ES256');
  active.replace(importSigningKey(kid, 'ES256', privateJwk));
  active.get();
  expect(active.usesOf(kid)).toBe(0);
  active.countUse(kid);
  expect(active.usesOf(kid)).toBe(1);
});
