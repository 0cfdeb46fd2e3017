import { randomBytes } from 'node:crypto';
import { slotOf } from '../../domain/kernel/ids.ts';
import { sha256 } from '../../domain/kernel/sha256.ts';
import { decodeDeviceToken, encodeDeviceToken } from '../../domain/user/device-token.ts';
import { countOf, type KnownDevice } from '../../domain/user/known-devices.ts';
import { isLocked } from '../../domain/user/lockout.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { CommandRows } from '../../eventlog/command.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { type DeviceToken, deviceTokenRow, findDeviceToken } from '../../tables/device-token.ts';
import type { UserForCommand } from '../../tables/user.ts';

/** Often enough to tell tokens in use from forgotten ones, and one write a day. */
const usedEveryMs = 86_400_000;

/** The token of this user behind what a login presented; null for none and for any other text. */
export async function presentedDevice(
  readers: Queryable,
  user: UserForCommand,
  presented: string | null,
): Promise<DeviceToken | null> {
  const parts = presented === null ? null : decodeDeviceToken(presented);
  return parts === null ? null : findDeviceToken(readers, user.userId, parts);
}

export function knownDevice(token: DeviceToken | null): KnownDevice | null {
  return token === null ? null : { id: token.deviceId, epoch: token.epoch };
}

/** Whether its password check goes before those of strangers: a known device that is not locked. */
export function goesFirst(state: UserState, token: DeviceToken | null, now: number): boolean {
  const count = countOf(state.devices, knownDevice(token), now);
  return count !== null && !isLocked(count, now);
}

/**
 * What a login stores about its device, and the token that it answers: a new one for a device that
 * was not known, none for one that was.
 */
export function rememberDevice(
  userId: string,
  { devices }: UserState,
  token: DeviceToken | null,
  now: number,
): { readonly rows: CommandRows; readonly deviceToken: string | null } {
  if (token?.epoch === devices.epoch) {
    const isFresh = token.usedAt !== null && token.usedAt + usedEveryMs > now;
    const used = deviceTokenRow(userId, { ...token, usedAt: now });
    return { rows: isFresh ? {} : { device_tokens: [used] }, deviceToken: null };
  }
  const secret = randomBytes(32);
  const made: DeviceToken = {
    deviceId: newId(slotOf(userId)),
    secretHash: sha256(secret),
    epoch: devices.epoch,
    createdAt: now,
    usedAt: null,
  };
  return {
    rows: { device_tokens: [deviceTokenRow(userId, made)] },
    deviceToken: encodeDeviceToken(made.deviceId, secret),
  };
}
