import { LatchkeyError } from '../kernel/errors.ts';
import type { UserState } from './state.ts';

/**
 * Refuses with `conflict` to take away the last administrator who can log in. `otherActiveAdmins`:
 * how many active users with a password besides this one hold `latchkey:admin`.
 */
export function requireOtherAdmin(state: UserState, otherActiveAdmins: number): void {
  if (state.status === 'active' && otherActiveAdmins === 0) {
    const message = 'is the last administrator who can log in';
    throw new LatchkeyError('conflict', { errors: [{ path: 'user', message }] });
  }
}
