import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isIdentifierClass,
  satisfiesBidiRule,
} from '../../../src/domain/user/precis-identifier.ts';
import { parseUsername, readNewUsername } from '../../../src/domain/user/username.ts';

describe('the examples of RFC 8265 section 3.5', () => {
  it.each([
    ['fussball', 'fussball'],
    ['fu\u00dfball', 'fu\u00dfball'],
    ['\u03c0', '\u03c0'],
    ['\u03a3', '\u03c3'],
    ['\u03c3', '\u03c3'],
    ['\u03c2', '\u03c2'],
  ])('%s is the name %s', (text, name) => {
    expect(parseUsername(text)).toBe(name);
  });

  it.each([
    ['a space', 'foo bar'],
    ['nothing', ''],
    ['ROMAN NUMERAL FOUR, which has a compatibility equivalent', 'henry\u2163'],
    ['BLACK CHESS KING, a symbol', '\u265a'],
  ])('is no name: %s', (_, text) => {
    expect(parseUsername(text)).toBeNull();
  });

  // The RFC allows it; ours is narrower, because a name must never be an address.
  it('juliet@example.com is in the class, and is no name of ours', () => {
    expect(isIdentifierClass('juliet@example.com')).toBe(true);
    expect(parseUsername('juliet@example.com')).toBeNull();
    expect(parseUsername('juliet\uff20example.com')).toBeNull();
  });
});

describe('the spellings of one name', () => {
  it.each([
    ['capitals', 'Ada.Lovelace', 'ada.lovelace'],
    ['full width', '\uff21\uff24\uff21', 'ada'],
    ['half width', '\uff76\uff85', '\u30ab\u30ca'],
    ['decomposed', 'Zoe\u0308', 'zo\u00eb'],
    ['a capital whose small letter is two code points', '\u0130x', 'i\u0307x'],
    ['a final sigma', '\u0391\u03a3', '\u03b1\u03c2'],
  ])('are one: %s', (_, text, name) => {
    expect(parseUsername(text)).toBe(name.normalize('NFC'));
  });

  // Fails when the Kelvin sign is lower-cased before it is looked at.
  it.each([
    ['the Kelvin sign', '\u212aim'],
    ['a ligature', '\ufb01n'],
    ['a superscript', 'x\u00b2'],
    ['a zero-width space', 'a\u200bb'],
    ['a zero-width joiner', '\u0915\u094d\u200d'],
    ['a variation selector', 'a\ufe0f'],
    ['a right-to-left override', 'a\u202eb'],
    ['a control', 'a\u0000'],
    ['half a surrogate pair', 'a\ud800'],
    ['conjoining jamo', '\u1112\u1161\u11ab'],
    ['a soft hyphen', 'a\u00adb'],
    ['an unassigned code point', '\u0378'],
    ['a titlecase letter', '\u01c5'],
    ['other ASCII punctuation', 'a<b'],
    ['two alphabets that look alike', '\u0430dmin'],
    ['Greek in Latin', 'p\u03b1ul'],
    ['65 characters', 'a'.repeat(65)],
    ['a very long text', 'a'.repeat(100_000)],
  ])('do not include %s', (_, text) => {
    expect(parseUsername(text)).toBeNull();
  });

  it('are given by the context where RFC 5892 says so', () => {
    expect(parseUsername('l\u00b7l')).toBe('l\u00b7l');
    expect(parseUsername('a\u00b7l')).toBeNull();
    expect(parseUsername('\u30a2\u30fb\u30a2')).toBe('\u30a2\u30fb\u30a2');
    expect(parseUsername('a\u30fba')).toBeNull();
    expect(parseUsername('\u05d0\u05f3')).toBe('\u05d0\u05f3');
    expect(parseUsername('a\u05f3')).toBeNull();
  });

  it('may be in any one script, and several that are written together', () => {
    for (const name of [
      '\u0430\u0434\u0430',
      '\u03b1\u03b4\u03b1',
      '\u592a\u90ce\u3042\u30a2',
      '\u05d0\u05d3\u05d4',
    ]) {
      expect(parseUsername(name), name).toBe(name);
    }
  });

  it('stay what they are when they are read again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (text) => {
        const name = parseUsername(text);
        return name === null || parseUsername(name) === name;
      }),
      { numRuns: 500 },
    );
  });
});

describe('the Bidi Rule', () => {
  it.each([
    ['\u05d0\u05d1', true],
    ['\u05d0\u05d11', true],
    ['\u05d0\u05b0', true],
    ['\u0627\u0661', true],
    ['1\u05d0', false],
    ['\u05d0a', false],
    ['a\u05d0', false],
    ['\u05d0-', false],
    ['\u0627\u06611', false],
    ['\u0661\u0627', false],
    ['plain-1', true],
  ])('%s: %s', (text, satisfied) => {
    expect(satisfiesBidiRule(text)).toBe(satisfied);
  });
});

describe('a reserved name', () => {
  const isRefused = (text: string) => {
    expect(readNewUsername(text), text).toMatchObject({ problem: 'name_reserved' });
  };

  it.each(['admin', 'Root', 'no-reply', 'LATCHKEY', '\uff52oot', 'postmaster', 'test', 'all'])(
    'is not to be had: %s',
    isRefused,
  );

  it.each([
    ['cut up', ['ad.min', 'a-d-m-i-n', '-admin-', 'mail', 'm.a.i.l', 'the-ad.min']],
    ['numbered', ['admin1', '7admin', 'admin.1', 'admin\u0967', 'ad\u0967min', 'ad2min', 'test9']],
    [
      'with digits for letters',
      ['4dmin', 'adm1n', 'supp0rt', 'suppor7', 'h3lpd3sk', '1egal-5taff'],
    ],
    ['both', ['adm1n1', 'r00t0', 'suppor77']],
    [
      'accented',
      ['\u00e1dmin', 'a\u1e0dmin', 'adm\u0131n', 'ADM\u0130N', 'r\u00f8\u00f8t', 'a\u02bcdmin'],
    ],
    ['in the plural', ['administrators', 'admins', 'moderator5', 'guests']],
    ['in letters of another script', ['\u0430\u0440\u0456', '\u0455\u0443\u0455']],
    ['in the middle', ['the-admin', 'security-team', 'ada.admin', 'x_supp0rt_x', 'help-desk-2']],
  ])('is not to be had %s', (_, texts) => {
    texts.forEach(isRefused);
  });

  // What is refused too much is somebody's name.
  it.each([
    ['in another word', ['rooter', 'badminton', 'supporter', 'theadmin', 'systematic', 'roott']],
    ['beside another one, unless it is the operator\u2019s', ['john.test', 'call-me', 'dog_owner']],
    ['that looks like another word', ['ali', 'a11y', 'tom', 'nova', '5am', 'news-paper', 'amdin']],
  ])('is to be had %s', (_, texts) => {
    for (const text of texts) expect(readNewUsername(text)).toEqual({ name: text });
  });

  it('is still read at a login', () => {
    expect(parseUsername('the-admin')).toBe('the-admin');
  });
});

describe('a name that somebody takes', () => {
  // Fails when whoever is refused must guess why.
  it.each([
    ['', '1 to 64 characters'],
    ['a'.repeat(65), '1 to 64 characters'],
    ['a'.repeat(1_000), '1 to 64 characters'],
    ['ada@example.com', 'no address'],
    ['a b', 'letters, digits and the characters . _ - + only'],
    ['a<b', 'letters, digits and the characters . _ - + only'],
    ['a\u200bb', 'none that is invisible'],
    ['a\ud800', 'none that is invisible'],
    ['a\u05d0', 'from right to left'],
    ['\u0430dmin', 'Latin, Greek and Cyrillic'],
    ['..', 'a letter or a digit'],
    ['a\u0301\u0302\u0303\u0304', 'more than two'],
    ['admin', 'only the operator'],
  ])('is refused by the rule that it breaks: %j', (text, words) => {
    expect(readNewUsername(text)).toMatchObject({ says: expect.stringContaining(words) });
  });

  it.each(['.', '..', '-', '+', '_', '.-.', '\u02bc', '\u30fc'])(
    'holds a letter or a digit, unlike %s, which is read at a login',
    (text) => {
      expect(readNewUsername(text)).toMatchObject({ problem: 'name_invalid' });
      expect(parseUsername(text)).toBe(text);
    },
  );

  it('stacks no accents', () => {
    const stacked = (accents: number) =>
      `q${'\u0301\u0316\u0302\u0317\u0303\u0318'.slice(0, accents)}x`;
    expect(readNewUsername(stacked(2))).toHaveProperty('name');
    for (const accents of [3, 6]) {
      expect(readNewUsername(stacked(accents))).toMatchObject({ problem: 'name_invalid' });
      expect(parseUsername(stacked(accents))).not.toBeNull();
    }
    expect(readNewUsername('\u0301a')).toMatchObject({ problem: 'name_invalid' });
  });

  it.each([
    ['Vietnamese', 'nguy\u1ec5n'],
    ['Greek with three accents', '\u1fa7'],
    ['Hindi with three signs', '\u092e\u0947\u091c\u093c\u0947\u0902'],
    ['Tibetan', '\u0f56\u0f66\u0f92\u0fb2\u0f74\u0f56\u0f66'],
    ['Hebrew with points', '\u05e9\u05bc\u05b8\u05c1'.normalize('NFC')],
    ['Thai', '\u0e17\u0e35\u0e48'],
    ['only digits', '4711'],
  ])('may be %s', (_, text) => {
    expect(readNewUsername(text)).toEqual({ name: text });
  });
});
