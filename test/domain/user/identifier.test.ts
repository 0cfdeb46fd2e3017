import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeEmail } from '../../../src/domain/user/identifier.ts';

describe('an e-mail address', () => {
  it('is lower case and NFC', () => {
    expect(normalizeEmail('Alice.B+test@Example.COM')).toBe('alice.b+test@example.com');
    expect(normalizeEmail('jose\u0301@example.com')).toBe('josé@example.com');
    expect(normalizeEmail('用户@例子.广告')).toBe('用户@例子.广告');
    expect(normalizeEmail('root@localhost')).toBe('root@localhost');
    expect(normalizeEmail("o'neil_{x}=1~@a-b.example")).toBe("o'neil_{x}=1~@a-b.example");
  });

  it('is not trimmed', () => {
    for (const text of [
      ' a@b.c',
      'a@b.c ',
      'a@b.c\n',
      '\ta@b.c',
      'a @b.c',
      'a@ b.c',
      '\ufeffa@b.c',
    ]) {
      expect(normalizeEmail(text)).toBeNull();
    }
  });

  it('has exactly one @ with something on both sides', () => {
    for (const text of ['', '@', 'a', 'a@', '@b', 'a@b@c', 'a@@b']) {
      expect(normalizeEmail(text)).toBeNull();
    }
  });

  it('has no invisible character, and none that ends an address in a header', () => {
    for (const bad of [
      '\0',
      '\r\n',
      '\u007f',
      '\u200b',
      '\u202e',
      ',',
      ';',
      ':',
      '<',
      '>',
      '"',
      '(',
    ]) {
      expect(normalizeEmail(`a${bad}b@example.com`)).toBeNull();
      expect(normalizeEmail(`ab@exam${bad}ple.com`)).toBeNull();
    }
    expect(normalizeEmail('a\ud800@example.com')).toBeNull();
  });

  it('has no empty part between dots and no hyphen at the edge of a label', () => {
    for (const text of [
      '.a@b.c',
      'a.@b.c',
      'a..b@c.d',
      'a@.b',
      'a@b.',
      'a@b..c',
      'a@-b.c',
      'a@b-.c',
    ]) {
      expect(normalizeEmail(text)).toBeNull();
    }
  });

  it('has at most 254 code points, 64 of them before the @', () => {
    const domain = (length: number) => 'd'.repeat(length);
    expect(normalizeEmail(`${'l'.repeat(64)}@${domain(189)}`)).not.toBeNull();
    expect(normalizeEmail(`${'l'.repeat(64)}@${domain(190)}`)).toBeNull();
    expect(normalizeEmail(`${'l'.repeat(65)}@b.c`)).toBeNull();
    expect(normalizeEmail(`a@${'b'.repeat(100_000)}`)).toBeNull();
  });

  it('normalizes to itself', () => {
    const texts = fc.oneof(fc.emailAddress(), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(texts, fc.string({ unit: 'grapheme', maxLength: 20 }), (text, local) => {
        for (const email of [normalizeEmail(text), normalizeEmail(`${local}@Example.com`)]) {
          if (email !== null) expect(normalizeEmail(email)).toBe(email);
        }
      }),
    );
  });
});
