import type { SessionState } from '../domain/session/state.ts';
import { isLocked } from '../domain/user/lockout.ts';
import type { UserState } from '../domain/user/state.ts';
import type { PersonalData } from './personal-data.ts';

/** RFC 3339 in UTC. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** `User` of the HTTP contract. */
export function representUser(userId: string, state: UserState, personal: PersonalData) {
  const { email, username, name, phone_number, picture } = personal.profile(state.pii);
  return {
    id: userId,
    email,
    ...(username === undefined ? {} : { username }),
    email_verified: state.emailVerified,
    roles: state.roles,
    ...(name === undefined ? {} : { name }),
    ...(phone_number === undefined ? {} : { phone_number }),
    ...(picture === undefined ? {} : { picture }),
    created_at: toTime(state.registeredAt),
    disabled: state.status === 'disabled',
  };
}

/** `User` as administrators see it: `locked_until` while strangers' wrong passwords lock it. */
export function representUserToAdmin(
  userId: string,
  state: UserState,
  personal: PersonalData,
  now: number,
) {
  const lockedUntil = isLocked(state, now) ? state.lockedUntil : null;
  return {
    ...representUser(userId, state, personal),
    ...(lockedUntil === null ? {} : { locked_until: toTime(lockedUntil) }),
  };
}

/** `Session` of the HTTP contract. */
export function representSession(
  sessionId: string,
  state: SessionState,
  personal: PersonalData,
  currentSessionId: string | null,
) {
  const origin = personal.sessionOrigin(state.pii);
  return {
    id: sessionId,
    device: { type: state.deviceType, name: origin.device_name },
    created_at: toTime(state.startedAt),
    last_refreshed_at: toTime(state.refreshedAt),
    expires_at: toTime(state.expiresAt),
    ip: origin.ip,
    user_agent: origin.user_agent,
    amr: state.amr,
    current: sessionId === currentSessionId,
  };
}
