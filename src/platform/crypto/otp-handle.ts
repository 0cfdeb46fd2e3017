import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { bytesOfId, idOfBytes } from '../../domain/kernel/ids.ts';

const algorithm = 'aes-256-gcm';
const version = 1;
const offsets = { nonce: 1, sealed: 13, tag: 45, end: 61 } as const;

/** Which code of which user a caller has asked for. */
export interface OtpRequestNamed {
  readonly userId: string;
  readonly requestId: string;
}

/**
 * What the caller holds of a request for a code: base64url of version | nonce (12 bytes) | both ids
 * enciphered (32) | tag (16). It says nothing, not even whether two handles name one request, so one
 * for an address that nobody has looks like any other. The nonce is random: 2^32 handles under one
 * key are the most (NIST SP 800-38D section 8.3).
 */
export function sealOtpHandle(key: KeyObject, { userId, requestId }: OtpRequestNamed): string {
  const nonce = randomBytes(offsets.sealed - offsets.nonce);
  const cipher = createCipheriv(algorithm, key, nonce);
  const ids = Buffer.concat([bytesOfId(userId), bytesOfId(requestId)]);
  const sealed = Buffer.concat([cipher.update(ids), cipher.final()]);
  return Buffer.concat([Buffer.of(version), nonce, sealed, cipher.getAuthTag()]).toString(
    'base64url',
  );
}

/** What a handle of ours names; null for any other text. */
export function openOtpHandle(key: KeyObject, text: string): OtpRequestNamed | null {
  if (text.length > 2 * offsets.end) return null;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== offsets.end || bytes.toString('base64url') !== text) return null;
  if (bytes.readUInt8(0) !== version) return null;
  const nonce = bytes.subarray(offsets.nonce, offsets.sealed);
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: 16 });
  decipher.setAuthTag(bytes.subarray(offsets.tag));
  try {
    const ids = Buffer.concat([
      decipher.update(bytes.subarray(offsets.sealed, offsets.tag)),
      decipher.final(),
    ]);
    return { userId: idOfBytes(ids.subarray(0, 16)), requestId: idOfBytes(ids.subarray(16)) };
  } catch {
    return null;
  }
}
