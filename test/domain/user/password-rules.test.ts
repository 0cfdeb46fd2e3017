import { describe, expect, it } from 'vitest';
import { commonPasswords, isCommonPassword } from '../../../src/domain/user/common-passwords.ts';
import {
  checkNewPassword,
  type PasswordKnowledge,
} from '../../../src/domain/user/password-rules.ts';
import { passwordWords } from '../../../src/platform/crypto/password-words.ts';

const nothing = { isCommon: () => false, ranks: new Map(), identifier: '', serviceHost: '' };
const real = {
  isCommon: isCommonPassword,
  ranks: passwordWords,
  identifier: 'john.smith@example.test',
  serviceHost: 'login.bluebottle.test',
};

function reasonsFor(password: string, knowledge: Partial<PasswordKnowledge> = {}) {
  const check = checkNewPassword(password, { ...nothing, ...knowledge });
  return check.ok ? [] : check.reasons;
}
/** `length` code points, all different. */
const varied = (length: number, first = 0x4e00) =>
  Array.from({ length }, (_, index) => String.fromCodePoint(first + 7 * index)).join('');

describe('a new password', () => {
  it('has 15 to 256 code points', () => {
    expect(reasonsFor(varied(14))).toStrictEqual(['too_short']);
    expect(reasonsFor(varied(15))).toStrictEqual([]);
    expect(reasonsFor(varied(256))).toStrictEqual([]);
    expect(reasonsFor(varied(257))).toStrictEqual(['too_long']);
    expect(reasonsFor('x'.repeat(100_000))).toStrictEqual(['too_long']);
    expect(reasonsFor('')).toContain('too_short');
  });

  it('is counted in code points, not in UTF-16 units', () => {
    expect(reasonsFor(varied(14, 0x1f300))).toStrictEqual(['too_short']);
    expect(reasonsFor(varied(60, 0x1f300))).toStrictEqual([]);
  });

  it('is counted, compared and hashed in NFC', () => {
    const decomposed = `${varied(12)}e\u0301`;
    expect(reasonsFor(`${decomposed}a`)).toStrictEqual(['too_short']);
    expect(checkNewPassword(`${decomposed}ab`, nothing)).toStrictEqual({
      ok: true,
      normalized: `${varied(12)}\u00e9ab`,
    });
    const isCommon = (text: string) => text === `${varied(12)}\u00e9ab`;
    expect(reasonsFor(`${decomposed}ab`, { isCommon })).toStrictEqual(['common']);
  });

  it('may hold anything else: spaces, one kind of letter, any script', () => {
    for (const password of [
      'correct pony accumulator peg',
      ' leading and trailing ',
      'нетникакихправил',
      '\t a tab and newline\n ',
    ]) {
      expect(reasonsFor(password, real)).toStrictEqual([]);
    }
  });

  // Fails when the length is that of what is sent and not of what can be seen.
  it.each([
    ['15 newlines', '\n'.repeat(15)],
    ['15 zero-width spaces', '\u200b'.repeat(15)],
    [
      'a word among zero-width joiners',
      'tulip\u200d\u200d\u200d\u200d\u200d\u200d\u200d\u200d\u200d\u200d',
    ],
    ['15 Hangul fillers', '\u3164'.repeat(15)],
    ['variation selectors', `seven${'\ufe0f'.repeat(12)}`],
  ])('E3: has 15 characters that can be seen: %s', (_, password) => {
    expect(reasonsFor(password, real)).toContain('too_short');
  });

  it.each([
    ['one letter', '\u00e9'.repeat(20)],
    ['spaces', ' '.repeat(15)],
    ['two letters', 'abababababababab'],
    ['a short piece', 'xK3!xK3!xK3!xK3!xK'],
    ['a piece of fourteen', 'kettle-violets'.repeat(2)],
    ['four letters in any order', 'abcdabdcbacdbcad'],
  ])('E3: is no repetition: %s', (_, password) => {
    expect(reasonsFor(password)).toContain('repetitive');
  });

  it('has no NUL and no lone surrogate', () => {
    expect(reasonsFor(`${varied(15)}\0`)).toStrictEqual(['contains_nul']);
    expect(reasonsFor(`${varied(15)}\ud800`)).toStrictEqual(['not_well_formed']);
  });

  // Fails when only the whole address is looked for.
  it.each([
    'john.smith.1980!',
    'JohnSmith1980!!',
    'smith-john-2024!',
    'JOHN.SMITH@example.test',
    'my name is john.smith and so on',
    'john_smith_password',
  ])('C8: is not made of the own address: %s', (password) => {
    expect(reasonsFor(password, real)).toContain('contains_identifier');
  });

  it.each(['bluebottle2024!', 'login.bluebottle.test!', 'Bluebottle-login-1', 'blueb0ttle-log!n'])(
    'C8: is not made of the name of the service: %s',
    (password) => {
      expect(reasonsFor(password, real)).toContain('contains_service_name');
    },
  );

  it('hears all reasons at once', () => {
    const isCommon = () => true;
    expect(reasonsFor('a@b\0', { isCommon, identifier: 'a@b' })).toStrictEqual([
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

  // Fails when passwords are looked for in a list alone: most people add a word or a year.
  it.each([
    'correct horse battery staple',
    'CorrectHorseBatteryStaple1',
    'manchesterunited',
    'newcastleunited',
    'harrypotter1234',
    'September2024!!!',
    'jessicaandmichael',
    'thisismypassword1',
    'p4$$w0rd-p4ssword',
    '0123456789abcdef',
    'polniypizdec0211',
    '1qazxsw23edcvfr4',
  ])('C8: knows what people choose: %s', (password) => {
    expect(reasonsFor(password, real)).not.toStrictEqual([]);
  });

  it('C8: leaves passphrases and random texts alone', () => {
    for (const password of [
      'violet kettle drums past midnight',
      'a long and ordinary sentence',
      'translucent-pelican-9',
      'seven gravel umbrellas',
      'x7Kp2mQ9vLr4TzWb',
      'Savannah river flows slowly',
    ]) {
      expect([password, reasonsFor(password, real)]).toStrictEqual([password, []]);
    }
  });

  // Fails when the whole text is estimated: 256 characters would cost as much as a hash.
  it('C8: looks up a few thousand words at most, whatever the length', () => {
    let lookUps = 0;
    class CountedMap extends Map<string, number> {
      override get() {
        lookUps += 1;
        return undefined;
      }
    }
    const ranks = new CountedMap();
    reasonsFor(varied(256), { ranks });
    expect(lookUps).toBeLessThan(5_000);
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
