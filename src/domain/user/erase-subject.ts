import { accept, type Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { requireOtherAdmin } from './last-administrator.ts';
import { adminRole } from './roles.ts';
import type { UserState } from './state.ts';

/** `otherActiveAdmins`: see `RevokeRole`. */
export interface EraseSubject {
  readonly type: 'EraseSubject';
  readonly now: number;
  readonly otherActiveAdmins: number;
}

/** Also of a disabled or locked user. Once erased, a user stays so: a repeat changes nothing. */
export function eraseSubject(state: UserState, command: EraseSubject): Decision<UserEvent> {
  if (state.status === 'none') throw new LatchkeyError('not_found');
  if (state.status === 'erased') return accept();
  if (state.roles.includes(adminRole)) requireOtherAdmin(state, command.otherActiveAdmins);
  return accept({
    type: 'SubjectErased',
    data: { at: command.now, epoch: state.epoch + 1 },
  });
}
