import type {
  DeviceLocked,
  FailedChecksCleared,
  PasswordCheckFailed,
  UserLocked,
  UserUnlocked,
} from './events.ts';
import { withCount, withoutCount } from './known-devices.ts';
import type { FailureCount } from './lockout.ts';
import type { UserState } from './state.ts';

type CountEvent =
  | PasswordCheckFailed
  | UserLocked
  | DeviceLocked
  | FailedChecksCleared
  | UserUnlocked;

/** What failures, locks and their end make of the counts. */
export function evolveCounts(state: UserState, event: CountEvent): UserState {
  switch (event.type) {
    case 'PasswordCheckFailed':
      return failedOnce(state, event.data);
    case 'UserLocked':
      return { ...state, lockedUntil: event.data.until, lockCount: event.data.lockCount };
    case 'DeviceLocked':
      return counted(state, event.data.deviceId, event.data.at, (count) => ({
        ...count,
        lockedUntil: event.data.until,
        lockCount: event.data.lockCount,
      }));
    case 'FailedChecksCleared':
      return event.data.deviceId === undefined
        ? { ...state, failedChecks: 0, lockCount: 0, lockedUntil: null }
        : { ...state, devices: withoutCount(state.devices, event.data.deviceId) };
    case 'UserUnlocked':
      return {
        ...state,
        failedChecks: 0,
        lockCount: 0,
        lockedUntil: null,
        devices: { ...state.devices, failures: [] },
      };
  }
}

/** One more wrong factor: of a known device, or of strangers. */
export function failedOnce(
  state: UserState,
  { at, deviceId }: { readonly at: number; readonly deviceId?: string },
): UserState {
  return counted(state, deviceId, at, (count) => ({
    ...count,
    failedChecks: count.failedChecks + 1,
    lastFailureAt: at,
  }));
}

/** The state with one count changed: that of a known device, or that of strangers. */
function counted(
  state: UserState,
  deviceId: string | undefined,
  at: number,
  change: (count: FailureCount) => FailureCount,
): UserState {
  if (deviceId === undefined) return { ...state, ...change(state) };
  return { ...state, devices: withCount(state.devices, deviceId, at, change) };
}
