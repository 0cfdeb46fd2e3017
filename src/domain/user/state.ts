import type { UserEvent } from './events.ts';
import { forgetDevices, type KnownDevices, withCount, withoutCount } from './known-devices.ts';
import type { FailureCount } from './lockout.ts';

/** The folded user, which is also its row. Times: epoch ms. The failures are those of strangers. */
export interface UserState extends FailureCount {
  readonly status: 'none' | 'active' | 'disabled';
  readonly registeredAt: number;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  readonly roles: readonly string[];
  /**
   * Counts what changes the tokens of the user, and stands in each. Most changes make tokens of a
   * lower epoch stale (`tables/revocation.ts`). Starts at 0.
   */
  readonly epoch: number;
  readonly devices: KnownDevices;
  readonly passwordChangedAt: number | null;
  readonly pii: Uint8Array | null;
}

export const initialUser: UserState = {
  status: 'none',
  registeredAt: 0,
  emailVerified: false,
  hasPassword: false,
  roles: [],
  epoch: 0,
  failedChecks: 0,
  lockCount: 0,
  lockedUntil: null,
  lastFailureAt: null,
  devices: { epoch: 0, failures: [] },
  passwordChangedAt: null,
  pii: null,
};

export function evolveUser(state: UserState, event: UserEvent): UserState {
  switch (event.type) {
    case 'UserRegistered':
      return {
        ...initialUser,
        status: 'active',
        registeredAt: event.data.at,
        emailVerified: event.data.emailVerified,
        hasPassword: event.data.hasPassword,
        roles: event.data.roles,
        passwordChangedAt: event.data.hasPassword ? event.data.at : null,
        pii: event.pii ?? null,
      };
    case 'ProfileChanged':
      return { ...state, pii: event.pii ?? state.pii };
    case 'PasswordChanged':
      return { ...state, hasPassword: true, passwordChangedAt: event.data.at };
    case 'PasswordCheckFailed':
      return counted(state, event.data.deviceId, event.data.at, (count) => ({
        ...count,
        failedChecks: count.failedChecks + 1,
        lastFailureAt: event.data.at,
      }));
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
    case 'RoleGranted':
      return {
        ...state,
        roles: [...state.roles, event.data.role].sort(),
        epoch: event.data.epoch,
      };
    case 'RoleRevoked':
      return {
        ...state,
        roles: state.roles.filter((role) => role !== event.data.role),
        epoch: event.data.epoch,
      };
    case 'UserDisabled':
      return {
        ...state,
        status: 'disabled',
        epoch: event.data.epoch,
        devices: forgetDevices(state.devices),
      };
    case 'UserEnabled':
      return { ...state, status: 'active' };
    case 'UserEpochRaised':
      return { ...state, epoch: event.data.epoch, devices: forgetDevices(state.devices) };
  }
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
