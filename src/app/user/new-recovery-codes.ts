import { randomBytes } from 'node:crypto';
import {
  recoveryCode,
  recoveryCodeBytes,
  recoveryCodeCount,
  recoveryCodeHash,
} from '../../domain/user/recovery-code.ts';

/** Ten new recovery codes, to be shown once, and what is kept of them. */
export function newRecoveryCodes(): { readonly codes: string[]; readonly hashes: string[] } {
  const codes = Array.from({ length: recoveryCodeCount }, () =>
    recoveryCode(randomBytes(recoveryCodeBytes)),
  );
  return { codes, hashes: codes.map(recoveryCodeHash) };
}
