import type { UserCommand } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import { minuteMs, pii, place, registeredAt } from './users.ts';

export const at = registeredAt + minuteMs;
export const now = at + 1000;
export const requestId = 'the request';
export const otherId = 'another request';

/** A user whose address was proven long ago. */
export const proven: UserEvent = {
  type: 'UserRegistered',
  data: { at: registeredAt, emailVerified: true, hasPassword: true, roles: [] },
  pii,
};

export function opened<T extends UserEvent['type']>(type: T, openedAt = at, id = requestId) {
  const seconds = type === 'OtpRequested' ? 600 : 1_800;
  const data = { at: openedAt, requestId: id, expiresAt: openedAt + seconds * 1000 };
  return { type, data } as unknown as Extract<UserEvent, { readonly type: T }>;
}
export const otpRequested = opened('OtpRequested');
export const linkSent = opened('EmailVerificationRequested');
export const resetSent = opened('PasswordResetRequested');
export const changeSent = { ...opened('EmailChangeRequested'), pii };

type Ask = Extract<UserCommand, { readonly type: 'RequestMailProof' }>;
export const ask = (purpose: Ask['purpose'], askedAt = now, id = otherId): Ask => ({
  type: 'RequestMailProof',
  now: askedAt,
  purpose,
  requestId: id,
});
export const code = (matches: boolean, checkedAt = now, id = requestId) =>
  ({
    type: 'CheckOtp',
    now: checkedAt,
    requestId: id,
    matches,
    device: null,
    pii: place,
  }) as const;
export const codeFailedAt = (failedAt: number, id = requestId): UserEvent => ({
  type: 'OtpCheckFailed',
  data: { at: failedAt, requestId: id },
  pii: place,
});
export const consumed: UserEvent = { type: 'OtpConsumed', data: { at: now, requestId } };
export const verifiedNow = (keepsPassword: boolean): UserEvent[] => [
  { type: 'EmailVerified', data: { at: now, keepsPassword } },
  { type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'email_verified' } },
];
