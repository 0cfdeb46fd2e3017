import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/node/config.ts';

describe('C11: a key-encryption key that can be guessed', () => {
  const text = (bytes: Buffer) => `k1:${bytes.toString('base64url')}`;
  const counting = Buffer.from(Array.from({ length: 32 }, (_, n) => 7 * n));
  test.each([
    ['zeros', Buffer.alloc(32)],
    ['one byte repeated', Buffer.alloc(32, 0xa5)],
    ['a pattern', Buffer.alloc(32, 'abcd\u0001')],
    ['a count', counting],
    ['typed text', Buffer.from('correct horse battery staple! 12')],
  ])('C11: is refused: %s', (_what, key) => {
    expect(() => loadConfig({ KEK: text(key) })).toThrow(/KEK holds a guessable key k1/);
  });

  test.each([16, 31, 33, 64])('C11: of %i bytes is refused', (length) => {
    expect(() => loadConfig({ KEK: text(randomBytes(length)) })).toThrow(/32 bytes/);
  });

  test('C11: no random one is', () => {
    for (let count = 0; count < 2_000; count += 1) {
      expect(() => loadConfig({ KEK: text(randomBytes(32)) })).not.toThrow();
    }
  });
});
