import type { FailureCount } from './lockout.ts';

/** The wrong passwords of one device, which count apart from those of strangers. */
export interface DeviceFailures extends FailureCount {
  readonly deviceId: string;
}

/**
 * What a user's state holds of devices that have logged in before: not which there are (their
 * tokens are in a table that can be deleted), but from which epoch on one is known, and which have
 * failed. Everything before the epoch is forgotten.
 */
export interface KnownDevices {
  readonly epoch: number;
  readonly failures: readonly DeviceFailures[];
}

/** A device that showed a token of this epoch. */
export interface KnownDevice {
  readonly id: string;
  readonly epoch: number;
}

/** Tokens of one user: half of them shown at least once, half never (migration 000002). */
const deviceTokensPerUserMax = 20;

/** Above the longest lock: who waits that long gains nothing over waiting for the lock to end. */
const forgottenAfterMs = 86_400_000;

const noFailures: FailureCount = {
  failedChecks: 0,
  lockCount: 0,
  lockedUntil: null,
  lastFailureAt: null,
};

/**
 * The count of a device; null when it counts as a stranger: it is of an earlier epoch, or so many
 * devices have failed that there is no room for one more.
 */
export function countOf(
  devices: KnownDevices,
  device: KnownDevice | null,
  at: number,
): FailureCount | null {
  if (device === null || device.epoch !== devices.epoch) return null;
  const own = devices.failures.find(({ deviceId }) => deviceId === device.id);
  if (own !== undefined) return own;
  const remembered = devices.failures.filter((failures) => !isForgotten(failures, at));
  return remembered.length < deviceTokensPerUserMax ? noFailures : null;
}

/** The count of one device replaced; those whose last failure is a day old are dropped. */
export function withCount(
  devices: KnownDevices,
  deviceId: string,
  at: number,
  change: (count: FailureCount) => FailureCount,
): KnownDevices {
  const found = devices.failures.find((failures) => failures.deviceId === deviceId);
  const own = found ?? noFailures;
  const others = devices.failures.filter(
    (failures) => failures.deviceId !== deviceId && !isForgotten(failures, at),
  );
  return { ...devices, failures: [...others, { ...change(own), deviceId }] };
}

function isForgotten({ lastFailureAt }: FailureCount, at: number): boolean {
  return (lastFailureAt ?? 0) + forgottenAfterMs <= at;
}

export function withoutCount(devices: KnownDevices, deviceId: string): KnownDevices {
  return {
    ...devices,
    failures: devices.failures.filter((failures) => failures.deviceId !== deviceId),
  };
}

/**
 * Logout everywhere, a changed password or factor, a disabled user: no device is known any more. The
 * failures stay: a session that lives on counts its own under its id, and who has its password could
 * change that, again and again, for ten more tries of the second factor.
 */
export function forgetDevices({ epoch, failures }: KnownDevices): KnownDevices {
  return { epoch: epoch + 1, failures };
}
