import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Caller } from './request-context.ts';

/**
 * Refuses a caller who logged in more than `maxAgeSeconds` ago with
 * `insufficient_user_authentication`, and says how recent it must be (RFC 9470 section 3).
 */
export function requireRecentAuthentication(
  { authenticatedAt }: Pick<Caller, 'authenticatedAt'>,
  maxAgeSeconds: number,
  now: number = Date.now(),
): void {
  if (now / 1000 - authenticatedAt <= maxAgeSeconds) return;
  throw new LatchkeyError('insufficient_user_authentication', {
    detail: 'the login is too long ago',
    facts: { max_age: maxAgeSeconds },
  });
}
