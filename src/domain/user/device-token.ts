import { createHash } from 'node:crypto';

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
  const id = Buffer.from(deviceId.replaceAll('-', ''), 'hex');
  if (id.length !== offsets.secret - offsets.deviceId) throw new Error('a device id is a UUID');
  return prefix + Buffer.concat([Buffer.of(version), id, secret]).toString('base64url');
}

/** The parts of a text in the one spelling of a device token, or null. A row says if it is good. */
export function decodeDeviceToken(text: string): DeviceTokenParts | null {
  if (!text.startsWith(prefix) || text.length > 2 * offsets.end) return null;
  const body = text.slice(prefix.length);
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.length !== offsets.end || bytes.toString('base64url') !== body) return null;
  if (bytes.readUInt8(0) !== version) return null;
  return {
    deviceId: bytes
      .subarray(offsets.deviceId, offsets.secret)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    secretHash: hashDeviceSecret(bytes.subarray(offsets.secret)),
  };
}

/** base64url SHA-256. A 256-bit random secret needs no slow hash. */
export function hashDeviceSecret(secret: Uint8Array): string {
  return createHash('sha256').update(secret).digest('base64url');
}
