export const failuresBeforeLock = 10;
const firstLockMs = 60_000;
const longestLockMs = 3_600_000;
const lockedFailureIntervalMs = 3_600_000;

/** Wrong passwords in a row: those of strangers, or those of one device that is known. */
export interface FailureCount {
  readonly failedChecks: number;
  readonly lockCount: number;
  readonly lockedUntil: number | null;
  /** The last PasswordCheckFailed recorded: while locked, at most one an hour. */
  readonly lastFailureAt: number | null;
}

export function isLocked(count: FailureCount, now: number): boolean {
  return count.lockedUntil !== null && now < count.lockedUntil;
}

/**
 * While locked a failure is recorded at most once an hour, so that guessing cannot grow the log.
 */
export function lockedFailureIsDue(count: FailureCount, now: number): boolean {
  return count.lastFailureAt === null || now >= count.lastFailureAt + lockedFailureIntervalMs;
}

/**
 * The lock that one more failure brings, or null below ten. The count stays after a lock has run
 * out: until the right password clears it, each further failure locks again, for twice as long, up
 * to an hour.
 */
export function lockAfterFailure(
  count: FailureCount,
  now: number,
): { until: number; lockCount: number } | null {
  if (count.failedChecks + 1 < failuresBeforeLock) return null;
  const durationMs = Math.min(firstLockMs * 2 ** count.lockCount, longestLockMs);
  return { until: now + durationMs, lockCount: count.lockCount + 1 };
}
