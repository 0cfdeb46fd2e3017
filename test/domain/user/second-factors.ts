import type { UserEvent } from '../../../src/domain/user/events.ts';
import { hourMs, minuteMs, registered, registeredAt } from './users.ts';

export const now = registeredAt + hourMs;
export const hashes = Array.from({ length: 10 }, (_, index) => `code ${index}`);
export const enrolled = (factorId = 'phone', at = now - minuteMs): UserEvent => ({
  type: 'TotpEnrolled',
  data: { at, factorId, expiresAt: at + 600_000 },
});
export const confirmed = (factorId = 'phone', step = 100): UserEvent => ({
  type: 'TotpConfirmed',
  data: { at: now - minuteMs, factorId, step },
});
export const issued = (codes = hashes): UserEvent => ({
  type: 'RecoveryCodesIssued',
  data: { at: now - minuteMs, hashes: codes },
});
export const twoFactors = [registered, enrolled(), confirmed(), issued()];
export const raised = (epoch = 1): UserEvent => ({
  type: 'UserEpochRaised',
  data: { at: now, epoch, cause: 'factor_changed' },
});
