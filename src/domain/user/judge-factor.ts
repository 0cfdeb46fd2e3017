import { accept, type Decision, refuse } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { countOf, type KnownDevice } from './known-devices.ts';
import { isLocked, lockAfterFailure, lockedFailureIsDue } from './lockout.ts';
import type { UserState } from './state.ts';

/** A password, a code or a recovery code that somebody gave. */
export interface GivenFactor {
  readonly now: number;
  readonly matches: boolean;
  /** The known device that asks; null for a stranger. */
  readonly device: KnownDevice | null;
  /** Where the factor came from, for the failure's event. */
  readonly pii: Uint8Array;
}

/**
 * Counts a wrong factor and locks after ten: all factors share one count, so that nobody has ten
 * tries of each. A right one is accepted unless the count is locked, and clears it. A device that has
 * logged in before counts its own failures and has its own lock: ten wrong factors of strangers do
 * not keep it out, and a thief with its token has ten tries as well.
 */
export function judgeFactor(
  state: UserState,
  { now: at, matches, device, pii }: GivenFactor,
  failedAs: (by: { readonly deviceId?: string }) => UserEvent,
): Decision<UserEvent> {
  const ownCount = countOf(state.devices, device, at);
  const count = ownCount ?? state;
  const by = ownCount === null ? {} : { deviceId: device!.id };
  if (isLocked(count, at)) {
    if (matches || !lockedFailureIsDue(count, at)) throw new LatchkeyError('invalid_credentials');
    return refuse('invalid_credentials', failedAs(by));
  }
  if (!matches) {
    const lock = lockAfterFailure(count, at);
    if (lock === null) return refuse('invalid_credentials', failedAs(by));
    const locked: UserEvent =
      ownCount === null
        ? { type: 'UserLocked', data: { at, ...lock }, pii }
        : { type: 'DeviceLocked', data: { at, ...lock, deviceId: device!.id }, pii };
    return refuse<UserEvent>('invalid_credentials', failedAs(by), locked);
  }
  if (count.failedChecks === 0) return accept();
  return accept({ type: 'FailedChecksCleared', data: { at, ...by } });
}
