import type { DeviceTokenParts } from '../domain/user/device-token.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { fromTimestamp, fromTimestampOrNull, toTimestamp, toTimestampOrNull } from './columns.ts';

/** A token of a device that has logged in before. It is no projection: it can be deleted. */
export interface DeviceToken extends DeviceTokenParts {
  readonly epoch: number;
  readonly createdAt: number;
  readonly usedAt: number | null;
}

export function deviceTokenRow(userId: string, token: DeviceToken) {
  return {
    user_id: userId,
    device_id: token.deviceId,
    secret_hash: token.secretHash,
    epoch: token.epoch,
    created_at: toTimestamp(token.createdAt),
    used_at: toTimestampOrNull(token.usedAt),
  };
}

/** The token of this user that has the id and the hash; null for any other. */
export async function findDeviceToken(
  client: Queryable,
  userId: string,
  { deviceId, secretHash }: DeviceTokenParts,
): Promise<DeviceToken | null> {
  const { rows } = await client.query({
    name: 'find-device-token',
    text: `select epoch, created_at, used_at from latchkey.device_tokens
      where user_id = $1 and device_id = $2 and secret_hash = $3`,
    values: [userId, deviceId, secretHash],
  });
  const row = rows[0];
  if (row === undefined) return null;
  return {
    deviceId,
    secretHash,
    epoch: row.epoch as number,
    createdAt: fromTimestamp(row.created_at),
    usedAt: fromTimestampOrNull(row.used_at),
  };
}

/** Whether a device of this user became known at exactly that moment (epoch ms): at that login. */
export async function hasDeviceMadeAt(
  client: Queryable,
  userId: string,
  at: number,
): Promise<boolean> {
  const { rows } = await client.query({
    name: 'has-device-made-at',
    text: `select exists (select from latchkey.device_tokens
      where user_id = $1 and created_at = $2) as is_new`,
    values: [userId, toTimestamp(at)],
  });
  return rows[0]!.is_new === true;
}
