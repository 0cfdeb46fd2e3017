import type { SubjectErased, UserEvent, UserRegistered } from './events.ts';
import { evolveMailProof, withoutProofs } from './evolve-mail-proof.ts';
import { evolveSecondFactor } from './evolve-second-factor.ts';
import { evolveCounts } from './failure-counts.ts';
import { forgetDevices } from './known-devices.ts';
import { adminRole } from './roles.ts';
import { withoutPending } from './second-factor.ts';
import { initialUser, type UserState } from './state.ts';

export function evolveUser(state: UserState, event: UserEvent): UserState {
  switch (event.type) {
    case 'UserRegistered':
      return registered(event);
    case 'ProfileChanged':
      return { ...state, pii: event.pii ?? state.pii };
    case 'PasswordChanged':
      return {
        ...withoutProofs(state),
        hasPassword: true,
        passwordChangedAt: event.data.at,
      };
    case 'PasswordCheckFailed':
    case 'UserLocked':
    case 'DeviceLocked':
    case 'FailedChecksCleared':
    case 'UserUnlocked':
      return evolveCounts(state, event);
    case 'RoleGranted':
      return {
        ...state,
        ...(event.data.role === adminRole ? withoutPending(state) : {}),
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
        ...withoutProofs(state),
        status: 'disabled',
        epoch: event.data.epoch,
        devices: forgetDevices(state.devices),
      };
    case 'UserEnabled':
      return { ...state, status: 'active' };
    case 'UserEpochRaised':
      return { ...state, epoch: event.data.epoch, devices: forgetDevices(state.devices) };
    case 'OtpRequested':
    case 'OtpCheckFailed':
    case 'OtpConsumed':
    case 'EmailVerificationRequested':
    case 'EmailVerified':
    case 'RegistrationRepeated':
    case 'PasswordResetRequested':
    case 'PasswordResetCompleted':
    case 'EmailChangeRequested':
    case 'EmailChanged':
      return evolveMailProof(state, event);
    case 'TotpEnrolled':
    case 'TotpConfirmed':
    case 'TotpRemoved':
    case 'FactorCheckFailed':
    case 'FactorAccepted':
    case 'RecoveryCodesIssued':
    case 'RecoveryCodeUsed':
      return evolveSecondFactor(state, event);
    case 'SubjectErased':
      return tombstone(state, event);
  }
}

function registered({ data, pii }: UserRegistered): UserState {
  const { at, emailVerified, hasPassword, roles } = data;
  return {
    ...initialUser,
    ...{ status: 'active', registeredAt: at, emailVerified, hasPassword, roles },
    passwordChangedAt: hasPassword ? at : null,
    pii: pii ?? null,
  };
}

/** That there was a user, and the epoch, so that no token of it is ever good again. */
function tombstone(state: UserState, { data }: SubjectErased): UserState {
  return {
    ...initialUser,
    status: 'erased',
    registeredAt: state.registeredAt,
    epoch: data.epoch,
    devices: forgetDevices(state.devices),
    erasedAt: data.at,
  };
}
