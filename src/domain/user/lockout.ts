import type { UserState } from './state.ts';

const failuresBeforeLock = 10;
const firstLockMs = 60_000;
const longestLockMs = 3_600_000;
const lockedFailureIntervalMs = 3_600_000;

export function isLocked(state: UserState, now: number): boolean {
  return state.lockedUntil !== null && now < state.lockedUntil;
}

/**
 * While locked a failure is recorded at most once an hour, so that guessing cannot grow the log.
 */
export function lockedFailureIsDue(state: UserState, now: number): boolean {
  return state.lastFailureAt === null || now >= state.lastFailureAt + lockedFailureIntervalMs;
}

/**
 * The lock that one more failure brings, or null below ten. The count stays after a lock has run
 * out: until the right password clears it, each further failure locks again, for twice as long, up
 * to an hour.
 */
export function lockAfterFailure(
  state: UserState,
  now: number,
): { until: number; lockCount: number } | null {
  if (state.failedChecks + 1 < failuresBeforeLock) return null;
  const durationMs = Math.min(firstLockMs * 2 ** state.lockCount, longestLockMs);
  return { until: now + durationMs, lockCount: state.lockCount + 1 };
}
