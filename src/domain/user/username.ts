import { limits } from '../kernel/limits.ts';
import { isIdentifierClass, satisfiesBidiRule } from './precis-identifier.ts';
import { isReservedUsername } from './reserved-usernames.ts';

/** Why a user who comes with a name is not imported. */
export const usernameProblems = {
  name_invalid: 'The user name is not as `PUT /admin/users/{id}/username` takes it.',
  name_reserved: 'The user name is one, or holds a word, that only the operator may use.',
} as const;

interface RefusedName {
  readonly problem: keyof typeof usernameProblems;
  /** Which rule it breaks, for whoever chose it. */
  readonly says: string;
}

/** Each rule of a name, in words for whoever broke it. */
const rules = {
  length: `must have 1 to ${limits.usernameCodePointsMax} characters`,
  address: 'must not hold an @: a user name is no address',
  characters:
    'must hold letters, digits and the characters . _ - + only, and none that is invisible or ' +
    'stands for others',
  direction: 'must not mix text from right to left with text from left to right',
  alphabets: 'must not mix Latin, Greek and Cyrillic letters',
  letters: 'must hold a letter or a digit',
  marks: 'must not begin with an accent, or stack more than two of them',
  reserved: 'must not be a name, or hold a word, that only the operator may use',
} as const;

type Rule = keyof typeof rules;
type Read = { readonly name: string } | { readonly broken: Rule };

/** Half-width and full-width forms: what decomposes to another width of the same character. */
const widthForms = /[\u3000\uff01-\uffbe\uffc2-\uffee]/g;
/** The ASCII characters that an identifier may hold, and a name of ours may not. */
const asciiRefused = /[!-*,/:-@[-^`{-~]/;
const alphabets = [/\p{Script=Latin}/u, /\p{Script=Greek}/u, /\p{Script=Cyrillic}/u];
const longestGiven = 4 * limits.usernameCodePointsMax;
/** RFC 8264 section 7: what is not stable by then is refused. */
const passesMax = 3;
/** Not a modifier letter: one alone looks like an accent or a stroke. */
const letterOrDigit = /[\p{Ll}\p{Lu}\p{Lo}\p{Nd}]/u;
/**
 * Accents that any script can use, and the signs of one script, of which Hindi and Tibetan need
 * more than two in a row.
 */
const stackedMarks = /^\p{M}|[\p{Script=Inherited}&&\p{M}]{3}|\p{M}{5}/v;

/**
 * The one reading of a user name: UsernameCaseMapped (RFC 8265 section 3.3), so that every spelling
 * of a name is the same text, which is stored, compared and shown. Narrower than the RFC: no `@`,
 * because a name is never an address, no other ASCII punctuation than `._+-`, and letters of one of
 * Latin, Greek and Cyrillic only, which look alike. null for a text that is no name.
 */
export function parseUsername(text: string): string | null {
  const read = readUsername(text);
  return 'name' in read ? read.name : null;
}

/**
 * Whether somebody may take the name, and if not, which rule it breaks. Narrower than
 * `parseUsername`: login finds a name that was taken under other rules.
 */
export function readNewUsername(text: string): { readonly name: string } | RefusedName {
  const read = readUsername(text);
  if ('broken' in read) return refused(read.broken);
  const broken = ruleOfChoice(read.name);
  return broken === null ? read : refused(broken);
}

function refused(broken: Rule): RefusedName {
  const problem = broken === 'reserved' ? 'name_reserved' : 'name_invalid';
  return { problem, says: rules[broken] };
}

function ruleOfChoice(name: string): Rule | null {
  if (!letterOrDigit.test(name)) return 'letters';
  if (stackedMarks.test(name)) return 'marks';
  return isReservedUsername(name) ? 'reserved' : null;
}

function readUsername(text: string): Read {
  if (text === '' || text.length > longestGiven) return { broken: 'length' };
  if (!text.isWellFormed()) return { broken: 'characters' };
  let read: Read = { name: text };
  for (let pass = 0; pass < passesMax; pass += 1) {
    const before = read.name;
    read = mapped(before);
    if ('broken' in read) return read;
    if (read.name === before) return ours(read.name);
  }
  return { broken: 'characters' };
}

/** One pass of preparation and enforcement (RFC 8265 sections 3.3.2 and 3.3.3). */
function mapped(text: string): Read {
  const narrowed = text.replace(widthForms, (char) => char.normalize('NFKC'));
  if (!isIdentifierClass(narrowed)) return { broken: 'characters' };
  const name = narrowed.toLowerCase().normalize('NFC');
  return satisfiesBidiRule(name) ? { name } : { broken: 'direction' };
}

function ours(name: string): Read {
  if ([...name].length > limits.usernameCodePointsMax) return { broken: 'length' };
  if (name.includes('@')) return { broken: 'address' };
  if (asciiRefused.test(name)) return { broken: 'characters' };
  const used = alphabets.filter((alphabet) => alphabet.test(name));
  return used.length <= 1 ? { name } : { broken: 'alphabets' };
}
