import { accept, type Decision, refuse } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { countOf, type KnownDevice } from './known-devices.ts';
import { isLocked, lockAfterFailure, lockedFailureIsDue } from './lockout.ts';
import type { UserState } from './state.ts';

/**
 * `comparedWith`: the `passwordChangedAt` of the row whose hash was compared. Hashing takes long
 * enough for the password to change meanwhile; the outcome then says nothing, and the decision is
 * `conflict`. `device`: the known device that asks, null for a stranger. `pii`: where the password
 * came from, for the failure's event.
 */
export interface CheckPassword {
  readonly type: 'CheckPassword';
  readonly now: number;
  readonly matches: boolean;
  readonly comparedWith?: number | null;
  readonly device: KnownDevice | null;
  readonly pii: Uint8Array;
}

/**
 * A device that has logged in before counts its own failures and has its own lock: ten wrong
 * passwords of strangers do not keep it out, and a thief with its token has ten tries as well.
 */
export function checkPassword(state: UserState, command: CheckPassword): Decision<UserEvent> {
  const { now: at, matches, comparedWith, pii } = command;
  if (state.status !== 'active') throw new LatchkeyError('invalid_credentials');
  if (comparedWith !== undefined && comparedWith !== state.passwordChangedAt) {
    throw new LatchkeyError('conflict', { detail: 'the password changed during the check' });
  }
  if (matches && !state.hasPassword) throw new Error('a password matched where there is none');
  const ownCount = countOf(state.devices, command.device, at);
  const count = ownCount ?? state;
  const by = ownCount === null ? {} : { deviceId: command.device!.id };
  const failed: UserEvent = { type: 'PasswordCheckFailed', data: { at, ...by }, pii };
  if (isLocked(count, at)) {
    if (matches || !lockedFailureIsDue(count, at)) throw new LatchkeyError('invalid_credentials');
    return refuse('invalid_credentials', failed);
  }
  if (!matches) {
    const lock = lockAfterFailure(count, at);
    if (lock === null) return refuse('invalid_credentials', failed);
    const locked: UserEvent =
      ownCount === null
        ? { type: 'UserLocked', data: { at, ...lock }, pii }
        : { type: 'DeviceLocked', data: { at, ...lock, deviceId: command.device!.id }, pii };
    return refuse<UserEvent>('invalid_credentials', failed, locked);
  }
  if (count.failedChecks === 0) return accept();
  return accept({ type: 'FailedChecksCleared', data: { at, ...by } });
}
