import { describe, expect, it } from 'vitest';
import { commonPasswords, isCommonPassword } from '../../../src/domain/user/common-passwords.ts';
import { checkNewPassword, isLoginString } from '../../../src/domain/user/password-rules.ts';

const none = (_password: string) => false;

function reasonsFor(password: string, isCommon = none, identifier?: string) {
  const check = checkNewPassword(password, isCommon, identifier);
  return check.ok ? [] : check.reasons;
}

describe('a new password', () => {
  it('has 15 to 256 code points', () => {
    expect(reasonsFor('x'.repeat(14))).toStrictEqual(['too_short']);
    expect(reasonsFor('x'.repeat(15))).toStrictEqual([]);
    expect(reasonsFor('x'.repeat(256))).toStrictEqual([]);
    expect(reasonsFor('x'.repeat(257))).toStrictEqual(['too_long']);
    expect(reasonsFor('x'.repeat(100_000))).toStrictEqual(['too_long']);
    expect(reasonsFor('')).toStrictEqual(['too_short']);
  });

  it('is counted in code points, not in UTF-16 units', () => {
    expect(reasonsFor('🔑'.repeat(14))).toStrictEqual(['too_short']);
    expect(reasonsFor('🔑'.repeat(256))).toStrictEqual([]);
  });

  it('is counted, compared and hashed in NFC', () => {
    const decomposed = 'e\u0301'.repeat(14);
    expect(reasonsFor(decomposed)).toStrictEqual(['too_short']);
    expect(checkNewPassword(`${decomposed}e\u0301`, none)).toStrictEqual({
      ok: true,
      normalized: 'é'.repeat(15),
    });
    expect(reasonsFor(`${decomposed}ee`, (text) => text === `${'é'.repeat(14)}ee`)).toStrictEqual([
      'common',
    ]);
  });

  it('may hold anything else: spaces, one kind of letter, any script', () => {
    for (const password of [
      'correct pony accumulator peg',
      ' leading and trailing ',
      'нетникакихправил',
      '\t tab and newline\n ',
    ]) {
      expect(reasonsFor(password)).toStrictEqual([]);
    }
  });

  it('has no NUL and no lone surrogate', () => {
    expect(reasonsFor(`${'x'.repeat(15)}\0`)).toStrictEqual(['contains_nul']);
    expect(reasonsFor(`${'x'.repeat(15)}\ud800`)).toStrictEqual(['not_well_formed']);
  });

  it('does not contain the address', () => {
    const reasons = reasonsFor('ALICE@example.com!', none, 'alice@example.com');
    expect(reasons).toStrictEqual(['contains_identifier']);
    expect(reasonsFor('something else entirely', none, 'alice@example.com')).toStrictEqual([]);
    expect(reasonsFor('something else entirely', none, '')).toStrictEqual([]);
  });

  it('hears all reasons at once', () => {
    expect(reasonsFor('a@b\0', () => true, 'a@b')).toStrictEqual([
      'contains_nul',
      'too_short',
      'common',
      'contains_identifier',
    ]);
  });
});

describe('the blocklist', () => {
  it('holds only passwords that the length rule lets through, in lower case', () => {
    expect(commonPasswords.size).toBeGreaterThan(200);
    const wrong = [...commonPasswords].filter(
      (text) => text.length < 15 || text !== text.toLowerCase(),
    );
    expect(wrong).toStrictEqual([]);
  });

  it('knows repetitions, keyboard walks, runs of digits and phrases', () => {
    for (const password of [
      'passwordpassword',
      'Password1234567',
      'PASSWORDPASSWORD1',
      'aaaaaaaaaaaaaaaa',
      '123456789012345',
      '987654321098765',
      'qwertyuiopasdfgh',
      '1qaz2wsx3edc4rfv',
      'abcdefghijklmno',
      'letmeinletmeinletmein',
      'latchkeylatchkey',
      'welcomewelcome2024',
      'this.is.my.password',
      '               ',
    ]) {
      expect([password, isCommonPassword(password)]).toStrictEqual([password, true]);
    }
  });

  it('leaves others alone', () => {
    for (const password of [
      'translucent-pelican-9',
      'seven gravel umbrellas',
      '8Jd0x!kPz72mQw_a',
    ]) {
      expect([password, isCommonPassword(password)]).toStrictEqual([password, false]);
    }
  });
});

describe('a string at login', () => {
  it('has 0 to 1,024 code points, whatever they are', () => {
    for (const text of ['', '\0', 'x'.repeat(1024), '🔑'.repeat(1024)]) {
      expect(isLoginString(text)).toBe(true);
    }
    expect(isLoginString('x'.repeat(1025))).toBe(false);
    expect(isLoginString('🔑'.repeat(1025))).toBe(false);
  });

  it('is well-formed', () => {
    expect(isLoginString('\udc00')).toBe(false);
  });
});
