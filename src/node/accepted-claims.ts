import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { UseVerification } from './node-memory.ts';

/**
 * The claims of an accepted token; a refusal raises `invalid_token`, `token_stale`,
 * `insufficient_scope` or `unavailable`.
 */
export function acceptedClaims(verification: UseVerification) {
  if (verification.ok) return verification.claims;
  const { code, reason } = verification;
  // The poll brings the issuer's keys, and a session's was looked for: nobody has this one.
  throw new LatchkeyError(code === 'key_needed' ? 'invalid_token' : code, { detail: reason });
}
