import { isTooCostly, type ReadHash, readHash } from './foreign-hash.ts';

/**
 * How a password was normalised before it was hashed: not at all, to NFC as ours, or to NFKC.
 */
export const passwordForms = ['typed', 'nfc', 'nfkc'] as const;
export type PasswordForm = (typeof passwordForms)[number];

/** A hash as `password_hashes` keeps it. */
export interface StoredHash {
  readonly form: PasswordForm;
  /** Whether another system made it: then it is replaced at the first good login. */
  readonly isForeign: boolean;
  readonly hash: ReadHash;
}

/** Why a hash is not compared with any password. */
export const hashProblems = {
  hash_unknown: 'Not a hash of a kind and encoding that Latchkey reads.',
  hash_too_costly: 'Its parameters make one comparison too long.',
} as const;

export type HashProblem = keyof typeof hashProblems;

const storedPattern = /^(typed|nfc|nfkc):(.*)$/s;
/** The most memory that ours may have been told to take. */
const ownMemoryKibMax = 4_194_304;

/**
 * The text for `password_hashes` of a hash from elsewhere. One that our own password hasher could
 * have made stands there as ours does.
 */
export function importedHash(
  encoded: string,
  form: PasswordForm,
): { readonly stored: string } | { readonly problem: HashProblem } {
  const hash = readHash(encoded);
  if (hash === null) return { problem: 'hash_unknown' };
  if (isTooCostly(hash)) return { problem: 'hash_too_costly' };
  if (form === 'nfc' && isArgon2id(hash)) return { stored: encoded };
  return { stored: `${form}:${encoded}` };
}

/** Reads what `password_hashes` holds, and bounds its cost: a row may be older than a bound. */
export function readStoredHash(text: string): StoredHash | HashProblem {
  const [, form, encoded] = storedPattern.exec(text) ?? [];
  const hash = readHash(encoded ?? text);
  if (hash === null) return 'hash_unknown';
  const isForeign = form !== undefined;
  if (isTooCostly(hash) && (isForeign || !isOwnWork(hash))) return 'hash_too_costly';
  return { form: (form ?? 'nfc') as PasswordForm, isForeign, hash };
}

function isArgon2id(hash: ReadHash): boolean {
  return hash.kind === 'argon2' && hash.variant === 'id' && hash.version === 19;
}

/** What the setting of the memory has allowed: one pass, one lane. */
function isOwnWork(hash: ReadHash): boolean {
  if (hash.kind !== 'argon2' || !isArgon2id(hash)) return false;
  return hash.passes === 1 && hash.lanes === 1 && hash.memoryKib <= ownMemoryKibMax;
}

/** What `importedHash` makes the same text of again. */
export function exportedHash(stored: string): {
  readonly password_hash: string;
  readonly password_form: PasswordForm;
} {
  const [, form, encoded] = storedPattern.exec(stored) ?? [];
  return {
    password_hash: encoded ?? stored,
    password_form: (form ?? 'nfc') as PasswordForm,
  };
}
