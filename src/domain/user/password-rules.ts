import { limits } from '../kernel/limits.ts';
import { estimateGuesses, type WordRanks } from './password-guesses.ts';

/** Why a new password is refused, and what each reason says of "the password". */
export const passwordProblems = {
  too_short:
    `Has fewer than ${limits.passwordCodePointsMin} characters that can be seen. Controls, ` +
    'zero-width and other invisible characters do not count.',
  too_long: `Has more than ${limits.passwordCodePointsMax} code points.`,
  repetitive:
    `Repeats one piece of fewer than ${limits.passwordCodePointsMin} characters over and over, ` +
    'or is made of fewer than five different characters.',
  common: 'Is a known one, or a few words, names, years and keyboard rows that everybody uses.',
  contains_identifier: 'Holds your address or its local part, or is made of pieces of it.',
  contains_service_name: 'Holds the host of `ISSUER`, or is made of pieces of it.',
  contains_nul: 'Holds U+0000.',
  not_well_formed: 'Holds half a surrogate pair.',
} as const;

export type PasswordProblem = keyof typeof passwordProblems;

export type NewPasswordCheck =
  | { readonly ok: true; readonly normalized: string }
  | { readonly ok: false; readonly reasons: readonly PasswordProblem[] };

/** What a new password is compared with. */
export interface PasswordKnowledge {
  /** Asked with the normalized text. */
  readonly isCommon: (normalized: string) => boolean;
  readonly ranks: WordRanks;
  /** The address of the person; empty where there is none. */
  readonly identifier: string;
  /** The host under which the service is known. */
  readonly serviceHost: string;
}

/** Fewer guesses than this (log10) reach it: a few words that everybody uses, however long. */
const guessesLog10Min = 8;
const distinctCharactersMin = 5;
/** A shorter name stands inside too many words to be refused wherever it stands. */
const wholeNameMin = 6;
const pieceMin = 3;

/**
 * Whether a password may be set (NIST SP 800-63B-4 section 3.1.1.2): length and a blocklist, no
 * composition rules. The length is that of what can be seen. `normalized` (NFC) is what is hashed.
 * Login applies none of this.
 */
export function checkNewPassword(password: string, knowledge: PasswordKnowledge): NewPasswordCheck {
  if (password.length > longestBeforeNfc) return { ok: false, reasons: ['too_long'] };
  if (!password.isWellFormed()) return { ok: false, reasons: ['not_well_formed'] };
  const normalized = password.normalize('NFC');
  const reasons: PasswordProblem[] = [];
  if (normalized.includes('\0')) reasons.push('contains_nul');
  if (codePoints(normalized.replace(unseen, '')) < limits.passwordCodePointsMin) {
    reasons.push('too_short');
  }
  if (codePoints(normalized) > limits.passwordCodePointsMax) {
    return { ok: false, reasons: [...reasons, 'too_long'] };
  }
  if (isRepetitive([...normalized])) reasons.push('repetitive');
  reasons.push(...problemsOfWords(normalized, knowledge));
  return reasons.length === 0 ? { ok: true, normalized } : { ok: false, reasons };
}

/** Controls, format characters and what is drawn as nothing. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u2800]|\p{Default_Ignorable_Code_Point}/gu;

/** One short piece over and over, or a handful of characters in any order. */
function isRepetitive(characters: readonly string[]): boolean {
  if (characters.length < limits.passwordCodePointsMin) return false;
  if (new Set(characters).size < distinctCharactersMin) return true;
  for (let period = 1; period < limits.passwordCodePointsMin; period += 1) {
    if (2 * period > characters.length) return false;
    if (characters.every((char, index) => char === characters[index % period])) return true;
  }
  return false;
}

function problemsOfWords(
  normalized: string,
  { isCommon, ranks, identifier, serviceHost }: PasswordKnowledge,
): PasswordProblem[] {
  const reasons = new Set<PasswordProblem>();
  const names = namesOf(identifier.slice(0, Math.max(0, identifier.lastIndexOf('@'))));
  const serviceNames = namesOf(serviceHost);
  const own = new Set([...names, ...serviceNames]);
  const { log10, ownWords } = estimateGuesses(normalized, ranks, own);
  const isGuessable = log10 < guessesLog10Min;
  if (isCommon(normalized) || (isGuessable && ownWords.size === 0)) reasons.add('common');
  const collapsed = collapse(normalized);
  const holds = (whole: string) => whole.length >= wholeNameMin && collapsed.includes(whole);
  const lowerCase = normalized.toLowerCase();
  if (
    (identifier !== '' && lowerCase.includes(identifier.toLowerCase())) ||
    holds(collapse(identifier.split('@')[0]!)) ||
    (isGuessable && names.some((name) => ownWords.has(name)))
  ) {
    reasons.add('contains_identifier');
  }
  if (
    holds(collapse(serviceHost)) ||
    (isGuessable && serviceNames.some((name) => ownWords.has(name) && !names.includes(name)))
  ) {
    reasons.add('contains_service_name');
  }
  return [...reasons];
}

/** A name as it is, without its separators, and its pieces. Lower case. */
function namesOf(text: string): string[] {
  const name = text.normalize('NFC').toLowerCase();
  const pieces = name.split(/[^\p{L}\p{N}]+/u);
  return [name, collapse(name), ...pieces].filter((word) => word.length >= pieceMin);
}

function collapse(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{M}\p{N}]/gu, '');
}

/**
 * No character composes from more than a few; far beyond this, normalizing would only cost time.
 */
const longestBeforeNfc = limits.requestBodyBytesMax;

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
