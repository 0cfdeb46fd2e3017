import { type DeviceType, deviceTypes } from '@latchkey/contract/device-type';

export const lifetimeProfiles = ['standard', 'banking', 'internal'] as const;
export type LifetimeProfile = (typeof lifetimeProfiles)[number];

/**
 * `sessionTtlSeconds` is absolute: no rotation extends it. A session that is not refreshable ends
 * with its access token.
 */
export interface Lifetimes {
  readonly accessTokenTtlSeconds: number;
  readonly sessionTtlSeconds: number;
  readonly refreshable: boolean;
}

/** For every device type and profile alike, in milliseconds. */
export interface LifetimeOverrides {
  readonly accessTokenExpiryMs?: number | undefined;
  readonly refreshTokenExpiryMs?: number | undefined;
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

type Seconds = readonly [access: number, session: number];

const standard: Record<DeviceType, Seconds> = {
  web: [15 * minute, 7 * day],
  mobile: [30 * minute, 30 * day],
  tablet: [30 * minute, 30 * day],
  desktop: [60 * minute, 90 * day],
  service: [60 * minute, 60 * minute],
  iot: [6 * hour, 365 * day],
};
const banking: Seconds = [5 * minute, 1 * day];
const internal: Seconds = [60 * minute, 30 * day];

/** The lifetimes of a new session. A service never has a refresh token, whatever the profile. */
export function lifetimesFor(
  deviceType: DeviceType,
  profile: LifetimeProfile = 'standard',
  overrides: LifetimeOverrides = {},
): Lifetimes {
  const profiles = { standard: standard[deviceType], banking, internal };
  const [access, session] = profiles[profile];
  const accessTokenTtlSeconds = wholeSeconds(overrides.accessTokenExpiryMs) ?? access;
  if (deviceType === 'service') {
    return { accessTokenTtlSeconds, sessionTtlSeconds: accessTokenTtlSeconds, refreshable: false };
  }
  const sessionTtlSeconds = wholeSeconds(overrides.refreshTokenExpiryMs) ?? session;
  return {
    accessTokenTtlSeconds: Math.min(accessTokenTtlSeconds, sessionTtlSeconds),
    sessionTtlSeconds,
    refreshable: true,
  };
}

/** The longest that any access token lives that is made under these settings. */
export function longestAccessTokenTtlSeconds(
  profile: LifetimeProfile = 'standard',
  overrides: LifetimeOverrides = {},
): number {
  const lives = deviceTypes.map((type) => lifetimesFor(type, profile, overrides));
  return Math.max(...lives.map(({ accessTokenTtlSeconds }) => accessTokenTtlSeconds));
}

/**
 * Whether an idle timeout (0: none) leaves a client that refreshes once per access token room for a
 * late refresh, for each of `deviceTypes`: at least twice the access life. A service is not
 * counted, as it never refreshes.
 */
export function idleTimeoutFits(
  idleSeconds: number,
  deviceTypes: readonly DeviceType[],
  profile: LifetimeProfile = 'standard',
  overrides: LifetimeOverrides = {},
): boolean {
  if (idleSeconds === 0) return true;
  return deviceTypes
    .map((deviceType) => lifetimesFor(deviceType, profile, overrides))
    .every((life) => !life.refreshable || idleSeconds >= 2 * life.accessTokenTtlSeconds);
}

function wholeSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.max(1, Math.floor(milliseconds / 1000));
}
