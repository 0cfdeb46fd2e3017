import { accept, type Decision, refuse } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { countOf, type KnownDevice } from './known-devices.ts';
import { isLocked, lockAfterFailure, lockedFailureIsDue } from './lockout.ts';
import { hasSecondFactor } from './second-factor.ts';
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
 * not keep it out, and a thief with its token has ten tries as well. Where a second factor has to
 * follow, a right first one clears nothing: a thief of the password would have ten tries of the second
 * factor, and then ten more.
 */
export function judgeFactor(
  state: UserState,
  given: GivenFactor,
  failedAs: FailedAs,
): Decision<UserEvent> {
  return judge(state, given, failedAs, { clears: !hasSecondFactor(state) });
}

/** The same for the second factor: a right one clears the count. */
export function judgeSecondFactor(
  state: UserState,
  given: GivenFactor,
  failedAs: FailedAs,
): Decision<UserEvent> {
  return judge(state, given, failedAs, { clears: true });
}

/** The same where a right factor says nothing of the others: it clears no count. */
export function judgeWithoutClearing(
  state: UserState,
  given: GivenFactor,
  failedAs: FailedAs,
): Decision<UserEvent> {
  return judge(state, given, failedAs, { clears: false });
}

type FailedAs = (by: { readonly deviceId?: string }) => UserEvent;

function judge(
  state: UserState,
  { now: at, matches, device, pii }: GivenFactor,
  failedAs: FailedAs,
  { clears }: { readonly clears: boolean },
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
  if (!clears || count.failedChecks === 0) return accept();
  return accept({ type: 'FailedChecksCleared', data: { at, ...by } });
}
