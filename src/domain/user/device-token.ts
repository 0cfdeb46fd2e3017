import { bytesOfId, idOfBytes } from '../kernel/ids.ts';
import { sha256 } from '../kernel/sha256.ts';

const prefix = 'lkd_';
const version = 1;
const secretBytes = 32;
const offsets = { deviceId: 1, secret: 17, end: 49 } as const;

/** What a device token says, with the hash of its secret: the form it has at rest. */
export interface DeviceTokenParts {
  readonly deviceId: string;
  readonly secretHash: string;
}

/**
 * `lkd_` and base64url of: version | device id (16 bytes) | secret (32). It tells that this device
 * has logged in before, and proves nothing else: it is no factor.
 */
export function encodeDeviceToken(deviceId: string, secret: Buffer): string {
  if (secret.length !== secretBytes) throw new Error('a device secret has 32 bytes');
  const bytes = Buffer.concat([Buffer.of(version), bytesOfId(deviceId), secret]);
  return prefix + bytes.toString('base64url');
}

/** The parts of a text in the one spelling of a device token, or null. A row says if it is good. */
export function decodeDeviceToken(text: string): DeviceTokenParts | null {
  if (!text.startsWith(prefix) || text.length > 2 * offsets.end) return null;
  const body = text.slice(prefix.length);
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.length !== offsets.end || bytes.toString('base64url') !== body) return null;
  if (bytes.readUInt8(0) !== version) return null;
  return {
    deviceId: idOfBytes(bytes.subarray(offsets.deviceId, offsets.secret)),
    secretHash: sha256(bytes.subarray(offsets.secret)),
  };
}
