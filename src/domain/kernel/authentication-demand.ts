import type { Acr } from '@latchkey/contract/acr';
import { acrValues } from '@latchkey/contract/acr';
import { LatchkeyError } from './errors.ts';

/** How, and how lately, somebody must have proved to be the user. */
export interface AuthenticationDemand {
  readonly acr?: Acr | undefined;
  readonly maxAgeSeconds?: number | undefined;
}

/** What an access token says of it: `amr`, `acr` and `auth_time` (epoch seconds). */
export interface Authentication {
  readonly amr: readonly string[];
  readonly acr?: string | undefined;
  readonly auth_time: number;
}

/**
 * `now`: epoch milliseconds. A token without `acr` was made by one factor; one without `amr` is a
 * client's own, and meets no demand.
 */
export function isSufficient(
  { amr, acr, auth_time }: Authentication,
  demand: AuthenticationDemand,
  now: number,
): boolean {
  const { acr: wanted = '1fa', maxAgeSeconds = Number.POSITIVE_INFINITY } = demand;
  if (demand.acr === undefined && demand.maxAgeSeconds === undefined) return true;
  if (amr.length === 0) return false;
  return rankOf(acr) >= rankOf(wanted) && Math.floor(now / 1000) - auth_time <= maxAgeSeconds;
}

/**
 * Raises `insufficient_user_authentication`, which says what is demanded (RFC 9470 section 3). `now`:
 * epoch milliseconds.
 */
export function requireAuthentication(
  authentication: Authentication,
  demand: AuthenticationDemand,
  now: number,
): void {
  if (isSufficient(authentication, demand, now)) return;
  throw new LatchkeyError('insufficient_user_authentication', {
    detail: 'the authentication is too old or too weak',
    facts: {
      ...(demand.acr === undefined ? {} : { acr_values: demand.acr }),
      ...(demand.maxAgeSeconds === undefined ? {} : { max_age: demand.maxAgeSeconds }),
    },
  });
}

/** A value that is unknown here is worth no more than the weakest. */
function rankOf(acr: string | undefined): number {
  return Math.max(0, (acrValues as readonly string[]).indexOf(acr ?? ''));
}
