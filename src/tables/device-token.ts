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

/** Which of these users had a device that became known at exactly that moment (epoch ms). */
export async function findDevicesMadeAt(
  client: Queryable,
  logins: readonly { readonly userId: string; readonly at: number }[],
): Promise<{ readonly userId: string; readonly at: number }[]> {
  if (logins.length === 0) return [];
  const { rows } = await client.query({
    name: 'find-devices-made-at',
    text: `select distinct d.user_id, d.created_at from latchkey.device_tokens d
      join unnest($1::uuid[], $2::timestamptz[]) as l (user_id, at)
        on d.user_id = l.user_id and d.created_at = l.at`,
    values: [logins.map(({ userId }) => userId), logins.map(({ at }) => toTimestamp(at))],
  });
  return rows.map(({ user_id, created_at }) => ({
    userId: user_id as string,
    at: fromTimestamp(created_at),
  }));
}
