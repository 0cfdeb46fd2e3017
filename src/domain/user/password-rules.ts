import { limits } from '../kernel/limits.ts';

export type PasswordProblem =
  | 'not_well_formed'
  | 'contains_nul'
  | 'too_short'
  | 'too_long'
  | 'common'
  | 'contains_identifier';

export type NewPasswordCheck =
  | { readonly ok: true; readonly normalized: string }
  | { readonly ok: false; readonly reasons: readonly PasswordProblem[] };

/**
 * Whether a password may be set (NIST SP 800-63B-4 section 3.1.1.2): length and a blocklist, no
 * composition rules. `normalized` (NFC) is what is hashed. `isCommon` is asked with the normalized
 * text. Login applies none of this.
 */
export function checkNewPassword(
  password: string,
  isCommon: (normalized: string) => boolean,
  identifier?: string,
): NewPasswordCheck {
  if (password.length > longestBeforeNfc) return { ok: false, reasons: ['too_long'] };
  if (!password.isWellFormed()) return { ok: false, reasons: ['not_well_formed'] };
  const normalized = password.normalize('NFC');
  const length = codePoints(normalized);
  const reasons: PasswordProblem[] = [];
  if (normalized.includes('\0')) reasons.push('contains_nul');
  if (length < limits.passwordCodePointsMin) reasons.push('too_short');
  if (length > limits.passwordCodePointsMax) reasons.push('too_long');
  if (isCommon(normalized)) reasons.push('common');
  if (identifier && normalized.toLowerCase().includes(identifier.toLowerCase())) {
    reasons.push('contains_identifier');
  }
  return reasons.length === 0 ? { ok: true, normalized } : { ok: false, reasons };
}

/**
 * What login takes for an identifier or a password: any well-formed text of 0 to 1,024 code points.
 */
export function isLoginString(text: string): boolean {
  const longest = limits.loginStringCodePointsMax;
  return text.length <= 2 * longest && text.isWellFormed() && codePoints(text) <= longest;
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
