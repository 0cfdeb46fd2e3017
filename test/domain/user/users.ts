import type { CheckPassword } from '../../../src/domain/user/check-password.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';

export const registeredAt = 1_700_000_000_000;
export const minuteMs = 60_000;
export const hourMs = 3_600_000;
export const pii = new Uint8Array([4, 5, 6]);
/** Where a password came from, as ciphertext. */
export const place = new Uint8Array([7, 8, 9]);

export function registeredWith(...roles: string[]): UserEvent {
  return {
    type: 'UserRegistered',
    data: { at: registeredAt, emailVerified: false, hasPassword: true, roles },
    pii,
  };
}

export const registered = registeredWith();

export function disabledAt(at: number, epoch = 1): UserEvent {
  return { type: 'UserDisabled', data: { at, epoch } };
}

export function failedAt(at: number): UserEvent {
  return { type: 'PasswordCheckFailed', data: { at }, pii: place };
}

export function lockedAt(at: number, minutes: number, lockCount: number): UserEvent {
  return {
    type: 'UserLocked',
    data: { at, until: at + minutes * minuteMs, lockCount },
    pii: place,
  };
}

/** `count` failures, a second apart, the last one at `last`. */
export function failures(count: number, last: number): UserEvent[] {
  return Array.from({ length: count }, (_, index) => failedAt(last - 1000 * (count - 1 - index)));
}

export function checkAt(now: number, matches: boolean): CheckPassword {
  return { type: 'CheckPassword', now, matches, device: null, pii: place };
}
