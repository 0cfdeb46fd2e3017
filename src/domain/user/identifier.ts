import { limits } from '../kernel/limits.ts';

const localPartCodePointsMax = 64;
/** RFC 5321 dot-atoms and, beyond ASCII, RFC 6531; no quoted strings, no address literals. */
const localPart = /^[\p{L}\p{N}\p{M}\p{S}!#%&'*/?_{}.-]+$/u;
const label = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]*[\p{L}\p{N}\p{M}])?$/u;
const forbiddenSymbols = /[<>]/;

/**
 * The canonical spelling of an e-mail address (NFC, lower case), under which a user is found, or
 * null for a text that is none. Nothing is trimmed: what was typed with a space is another text.
 */
export function normalizeEmail(text: string): string | null {
  if (text.length > 2 * limits.identifierCodePointsMax || !text.isWellFormed()) return null;
  const email = text.normalize('NFC').toLowerCase().normalize('NFC');
  if ([...email].length > limits.identifierCodePointsMax) return null;
  const [local, domain, ...rest] = email.split('@');
  if (local === undefined || domain === undefined || rest.length > 0) return null;
  if ([...local].length > localPartCodePointsMax) return null;
  if (!localPart.test(local) || forbiddenSymbols.test(local)) return null;
  if (`.${local}.`.includes('..')) return null;
  return domain.split('.').every((part) => label.test(part)) ? email : null;
}
