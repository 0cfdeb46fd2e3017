import type { Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { type GivenFactor, judgeFactor } from './judge-factor.ts';
import type { UserState } from './state.ts';

/**
 * `comparedWith`: the `passwordChangedAt` of the row whose hash was compared. Hashing takes long
 * enough for the password to change meanwhile; the outcome then says nothing, and the decision is
 * `conflict`.
 */
export interface CheckPassword extends GivenFactor {
  readonly type: 'CheckPassword';
  readonly comparedWith?: number | null;
}

export function checkPassword(state: UserState, command: CheckPassword): Decision<UserEvent> {
  const { now: at, matches, comparedWith, pii } = command;
  if (state.status !== 'active') throw new LatchkeyError('invalid_credentials');
  if (comparedWith !== undefined && comparedWith !== state.passwordChangedAt) {
    throw new LatchkeyError('conflict', { detail: 'the password changed during the check' });
  }
  if (matches && !state.hasPassword) throw new Error('a password matched where there is none');
  return judgeFactor(state, command, (by) => ({
    type: 'PasswordCheckFailed',
    data: { at, ...by },
    pii,
  }));
}
