import { LatchkeyError } from '../../domain/kernel/errors.ts';

/**
 * The refusal of a good token without the role or scope that is demanded. `token_stale` when its
 * user has been granted a role since it was made: a refresh gives one that has it, or one that is
 * refused with `insufficient_scope`, so no client refreshes twice.
 */
export function missingRight(
  what: 'role' | 'scope',
  { lacksNewRoles }: { readonly lacksNewRoles: boolean },
): LatchkeyError {
  const code = lacksNewRoles ? 'token_stale' : 'insufficient_scope';
  return new LatchkeyError(code, { detail: `${what} missing` });
}
