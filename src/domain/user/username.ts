import { limits } from '../kernel/limits.ts';
import { isIdentifierClass, satisfiesBidiRule } from './precis-identifier.ts';

/** Why a text is no user name. */
export const usernameProblems = {
  name_invalid:
    `Has 1 to ${limits.usernameCodePointsMax} letters, digits and the characters . _ - +, of one ` +
    'alphabet, and is no address.',
  name_reserved: 'Is a name that only the operator may use.',
} as const;

export type UsernameProblem = keyof typeof usernameProblems;

/** Half-width and full-width forms: what decomposes to another width of the same character. */
const widthForms = /[\u3000\uff01-\uffbe\uffc2-\uffee]/g;
/** The ASCII characters that an identifier may hold, and a name of ours may not. */
const asciiRefused = /[!-*,/:-@[-^`{-~]/;
const alphabets = [/\p{Script=Latin}/u, /\p{Script=Greek}/u, /\p{Script=Cyrillic}/u];
const longestGiven = 4 * limits.usernameCodePointsMax;
/** RFC 8264 section 7: what is not stable by then is refused. */
const passesMax = 3;

/**
 * The one reading of a user name: UsernameCaseMapped (RFC 8265 section 3.3), so that every spelling
 * of a name is the same text, which is stored, compared and shown. Narrower than the RFC: no `@`,
 * because a name is never an address, no other ASCII punctuation than `._+-`, and letters of one of
 * Latin, Greek and Cyrillic only, which look alike. null for a text that is no name.
 */
export function parseUsername(text: string): string | null {
  if (text.length > longestGiven || !text.isWellFormed()) return null;
  let name: string | null = text;
  for (let pass = 0; pass < passesMax; pass += 1) {
    const before: string = name;
    name = mapped(before);
    if (name === null) return null;
    if (name === before) return isOurs(name) ? name : null;
  }
  return null;
}

/** Whether somebody may take the name; login finds a name whatever this says. */
export function readNewUsername(
  text: string,
): { readonly name: string } | { readonly problem: UsernameProblem } {
  const name = parseUsername(text);
  if (name === null) return { problem: 'name_invalid' };
  return isReserved(name) ? { problem: 'name_reserved' } : { name };
}

/** One pass of preparation and enforcement (RFC 8265 sections 3.3.2 and 3.3.3). */
function mapped(text: string): string | null {
  const narrowed = text.replace(widthForms, (char) => char.normalize('NFKC'));
  if (narrowed === '' || !isIdentifierClass(narrowed)) return null;
  const name = narrowed.toLowerCase().normalize('NFC');
  return satisfiesBidiRule(name) ? name : null;
}

function isOurs(name: string): boolean {
  if ([...name].length > limits.usernameCodePointsMax || asciiRefused.test(name)) return false;
  return alphabets.filter((alphabet) => alphabet.test(name)).length <= 1;
}

/** Roles of a service and its mailboxes (RFC 2142), and words that programs take for no name. */
const reserved: ReadonlySet<string> = new Set(
  [
    'abuse account accounts admin administrator administration all anonymous api auth billing',
    'contact everyone guest help helpdesk hostmaster info latchkey login logout mail mailerdaemon',
    'me moderator news noc nobody noreply null oauth oidc official operator owner password',
    'postmaster privacy register root sales security self service settings signin signup staff',
    'sudo superuser support sysadmin sys system team test undefined unknown user username users',
    'usenet uucp webmaster www',
  ].flatMap((line) => line.split(' ')),
);

/** However it is cut up, and numbered: `ad.min` and `admin1` too. */
function isReserved(name: string): boolean {
  return reserved.has(name.replace(/[._+-]/g, '').replace(/\d+$/, ''));
}
