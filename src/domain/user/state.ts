import type { UserEvent } from './events.ts';

/** The folded user, which is also its row. Times are epoch milliseconds. */
export interface UserState {
  readonly status: 'none' | 'active' | 'disabled';
  readonly registeredAt: number;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  readonly roles: readonly string[];
  /**
   * Counts what changes the tokens of the user, and stands in each. Most changes make tokens of a
   * lower epoch stale (`projections/revocation.ts`). Starts at 0.
   */
  readonly epoch: number;
  readonly failedChecks: number;
  readonly lockCount: number;
  readonly lockedUntil: number | null;
  /** The last PasswordCheckFailed recorded: while locked, at most one an hour. */
  readonly lastFailureAt: number | null;
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
      return { ...state, failedChecks: state.failedChecks + 1, lastFailureAt: event.data.at };
    case 'UserLocked':
      return { ...state, lockedUntil: event.data.until, lockCount: event.data.lockCount };
    case 'FailedChecksCleared':
      return { ...state, failedChecks: 0, lockCount: 0, lockedUntil: null };
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
      return { ...state, status: 'disabled', epoch: event.data.epoch };
    case 'UserEnabled':
      return { ...state, status: 'active' };
    case 'UserEpochRaised':
      return { ...state, epoch: event.data.epoch };
  }
}
