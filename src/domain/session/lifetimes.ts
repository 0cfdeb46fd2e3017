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

/** The overrides, in milliseconds, hold for every device type and profile alike. */
export interface LifetimeSettings {
  /** Default: `standard`. */
  readonly profile?: LifetimeProfile;
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

/** The lifetimes of a new session. A service has no refresh token in any profile. */
export function lifetimesFor(
  deviceType: DeviceType,
  { profile = 'standard', accessTokenExpiryMs, refreshTokenExpiryMs }: LifetimeSettings = {},
): Lifetimes {
  const profiles = { standard: standard[deviceType], banking, internal };
  const [access, session] = profiles[profile];
  const accessTokenTtlSeconds = wholeSeconds(accessTokenExpiryMs) ?? access;
  if (deviceType === 'service') {
    return { accessTokenTtlSeconds, sessionTtlSeconds: accessTokenTtlSeconds, refreshable: false };
  }
  const sessionTtlSeconds = wholeSeconds(refreshTokenExpiryMs) ?? session;
  return {
    accessTokenTtlSeconds: Math.min(accessTokenTtlSeconds, sessionTtlSeconds),
    sessionTtlSeconds,
    refreshable: true,
  };
}

/** The longest that any access token lives that is made under these settings. */
export function longestAccessTokenTtlSeconds(settings: LifetimeSettings = {}): number {
  const lives = deviceTypes.map((type) => lifetimesFor(type, settings));
  return Math.max(...lives.map(({ accessTokenTtlSeconds }) => accessTokenTtlSeconds));
}

/**
 * How long a session of `deviceType` may go without a refresh when `idleSeconds` are configured
 * (0: for ever). At least twice its access life: a client that refreshes once per access token has
 * room for a late refresh. A service never refreshes and is never idle.
 */
export function idleSecondsFor(
  deviceType: DeviceType,
  idleSeconds: number,
  settings: LifetimeSettings = {},
): number {
  const { refreshable, accessTokenTtlSeconds } = lifetimesFor(deviceType, settings);
  if (idleSeconds === 0 || !refreshable) return 0;
  return Math.max(idleSeconds, 2 * accessTokenTtlSeconds);
}

/** What ends a session by the clock, as it is configured now. */
export interface SessionClock {
  /** 0: no idle timeout. */
  readonly idleSeconds: number;
  /** Absolute, from the start of the session. */
  readonly sessionTtlSeconds: number;
}

/** The part of the configuration that `clockFor` reads. */
export interface ClockSettings {
  readonly sessions: { readonly idleSeconds: number };
  readonly lifetimes: LifetimeSettings;
}

/** The clock of a session of `deviceType`: `isOver` of `rotation.ts` asks it. */
export function clockFor(
  deviceType: DeviceType,
  { sessions, lifetimes }: ClockSettings,
): SessionClock {
  return {
    idleSeconds: idleSecondsFor(deviceType, sessions.idleSeconds, lifetimes),
    sessionTtlSeconds: lifetimesFor(deviceType, lifetimes).sessionTtlSeconds,
  };
}

/** The shortest idle time that any device type is given: none that is configured may be shorter. */
export function shortestIdleSeconds(settings: LifetimeSettings = {}): number {
  const each = deviceTypes.map((type) => idleSecondsFor(type, 1, settings));
  return Math.min(...each.filter((idleSeconds) => idleSeconds > 0));
}

function wholeSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.max(1, Math.floor(milliseconds / 1000));
}
