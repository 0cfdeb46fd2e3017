import { base32, typedBase32 } from '../kernel/base32.ts';
import { sha256 } from '../kernel/sha256.ts';

export const recoveryCodeCount = 10;
/** 120 bits: ASVS 5.0 section 6.5.2 wants 112, and 15 bytes make six even groups. */
export const recoveryCodeBytes = 15;

/** `bytes`: `recoveryCodeBytes` random ones. `ABCD-EFGH-…`, six groups. */
export function recoveryCode(bytes: Uint8Array): string {
  if (bytes.length !== recoveryCodeBytes) throw new Error('a recovery code has 15 bytes');
  return base32(bytes).replace(/(.{4})(?!$)/g, '$1-');
}

/** What the log keeps of a code, however it was typed. So many random bits need no slow hash. */
export function recoveryCodeHash(code: string): string {
  return sha256(typedBase32(code));
}
