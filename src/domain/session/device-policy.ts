import type { DeviceType } from '@latchkey/contract/device-type';

/** How many live sessions of one device type a user may have. */
export type DevicePolicy = 'single' | { readonly limit: number } | 'unlimited';

export const defaultDevicePolicies: Readonly<Record<DeviceType, DevicePolicy>> = {
  web: 'single',
  mobile: 'single',
  tablet: 'single',
  desktop: 'single',
  service: 'unlimited',
  iot: { limit: 5 },
};

export interface LiveSession {
  readonly sessionId: string;
  readonly deviceType: DeviceType;
  readonly startedAt: number;
}

/**
 * The ids of the sessions that a new session of `newDeviceType` ends, oldest first: those beyond
 * the device type's policy, then the oldest of any type until the new one fits under
 * `maxSessionsPerUser`.
 */
export function sessionsToSupersede(
  policy: DevicePolicy,
  maxSessionsPerUser: number,
  liveSessions: readonly LiveSession[],
  newDeviceType: DeviceType,
): string[] {
  const oldestFirst = [...liveSessions].sort(byStart);
  const sameType = oldestFirst.filter((session) => session.deviceType === newDeviceType);
  const ended = new Set(sameType.slice(0, surplus(sameType.length, limitOf(policy))));
  const remaining = oldestFirst.filter((session) => !ended.has(session));
  for (const session of remaining.slice(0, surplus(remaining.length, maxSessionsPerUser))) {
    ended.add(session);
  }
  return oldestFirst.filter((session) => ended.has(session)).map((session) => session.sessionId);
}

/**
 * Whether newer live sessions leave an older one no place, after the policy has become stricter:
 * `sessionsToSupersede` would have ended it. `newerOfType` counts those of its device type.
 */
export function isSurplus(
  policy: DevicePolicy,
  maxSessionsPerUser: number,
  { newerOfType, newer }: { readonly newerOfType: number; readonly newer: number },
): boolean {
  return newerOfType >= limitOf(policy) || newer >= maxSessionsPerUser;
}

/** How many of `count` must go so that one more keeps within `limit`. */
function surplus(count: number, limit: number): number {
  return Math.max(0, count + 1 - limit);
}

function limitOf(policy: DevicePolicy): number {
  if (policy === 'single') return 1;
  return policy === 'unlimited' ? Number.POSITIVE_INFINITY : policy.limit;
}

/** Ids break ties, so that every node names the same session. */
function byStart(a: LiveSession, b: LiveSession): number {
  return a.startedAt - b.startedAt || (a.sessionId < b.sessionId ? -1 : 1);
}
