import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { identifierMac } from '../../../src/platform/crypto/identifier-index.ts';

test('the lookup key of an address is its HMAC-SHA256: same key, same bytes', () => {
  const key = createSecretKey(randomBytes(32));
  const expected = createHmac('sha256', key).update('ann@example.test').digest();
  expect(identifierMac(key, 'ann@example.test')).toEqual(expected);
  expect(identifierMac(createSecretKey(randomBytes(32)), 'ann@example.test')).not.toEqual(expected);
});

test('a key too short to be secret is refused', () => {
  expect(() => identifierMac(createSecretKey(randomBytes(16)), 'ann@example.test')).toThrow(
    /32 bytes/,
  );
});
