/** RFC 8264 section 9.6, and the digits whose use RFC 5892 makes depend on the others. */
const exceptions = /^[\u00df\u03c2\u06fd\u06fe\u0f0b\u3007]$/;
const refusedExceptions = /^[\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]$/;
const ascii = /^[\u0021-\u007e]$/;
const assigned = /^\P{Cn}$/u;
const letterDigits = /^[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]$/u;
/** Conjoining jamo, which make one Hangul syllable of several code points. */
const oldHangulJamo = /^[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]$/;
const ignorable = /^[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]$/u;

/**
 * Whether every code point of a text may stand in an identifier: the IdentifierClass of PRECIS (RFC
 * 8264 section 4.2). The joiners U+200C and U+200D may not, also where their context would allow
 * them: nobody sees them.
 */
export function isIdentifierClass(text: string): boolean {
  const characters = [...text];
  return characters.every((char, index) => isAllowed(char, characters, index));
}

/** In the order of RFC 8264 section 8. */
function isAllowed(char: string, all: readonly string[], index: number): boolean {
  if (exceptions.test(char)) return true;
  if (refusedExceptions.test(char)) return false;
  const inContext = contexts.get(char)?.(all, index);
  if (inContext !== undefined) return inContext;
  if (!assigned.test(char)) return false;
  if (ascii.test(char)) return true;
  if (oldHangulJamo.test(char) || ignorable.test(char)) return false;
  if (char.normalize('NFKC') !== char) return false;
  return letterDigits.test(char);
}

type Context = (all: readonly string[], index: number) => boolean;

/** RFC 5892 appendix A. */
const contexts: ReadonlyMap<string, Context> = new Map<string, Context>([
  ['\u00b7', (all, index) => all[index - 1] === 'l' && all[index + 1] === 'l'],
  ['\u0375', (all, index) => /^\p{Script=Greek}$/u.test(all[index + 1] ?? '')],
  ['\u05f3', (all, index) => /^\p{Script=Hebrew}$/u.test(all[index - 1] ?? '')],
  ['\u05f4', (all, index) => /^\p{Script=Hebrew}$/u.test(all[index - 1] ?? '')],
  ['\u30fb', (all) => /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(all.join(''))],
  ...digits('\u0660').map((digit) => [digit, without(digits('\u06f0'))] as const),
  ...digits('\u06f0').map((digit) => [digit, without(digits('\u0660'))] as const),
]);

function digits(zero: string): string[] {
  return Array.from({ length: 10 }, (_, n) => String.fromCharCode(zero.charCodeAt(0) + n));
}

function without(others: readonly string[]): Context {
  return (all) => !all.some((char) => others.includes(char));
}

/** Blocks whose code points go from right to left unless Unicode says otherwise (UAX 9). */
const rightToLeft =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const letter = /^\p{L}$/u;
const mark = /^\p{Mn}$/u;
const arabicDigit = /^[\u0660-\u0669]$/;
const europeanDigit = /^[0-9\u06f0-\u06f9]$/;

/**
 * The Bidi Rule (RFC 5893 section 2) for a text of the IdentifierClass: one with a letter that goes
 * from right to left begins with such a letter, ends with one or with a digit, and holds no letter
 * that goes the other way and no two kinds of digits.
 */
export function satisfiesBidiRule(text: string): boolean {
  if (!rightToLeft.test(text)) return true;
  const characters = [...text];
  const goesLeft = (char: string) =>
    rightToLeft.test(char) &&
    !mark.test(char) &&
    !arabicDigit.test(char) &&
    !europeanDigit.test(char);
  const last = characters.findLast((char) => !mark.test(char))!;
  const isDigit = (char: string) => arabicDigit.test(char) || europeanDigit.test(char);
  return (
    goesLeft(characters[0]!) &&
    (goesLeft(last) || isDigit(last)) &&
    !characters.some((char) => letter.test(char) && !rightToLeft.test(char)) &&
    !(
      characters.some((char) => arabicDigit.test(char)) &&
      characters.some((char) => europeanDigit.test(char))
    )
  );
}
