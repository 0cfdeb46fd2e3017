import { createHmac, type KeyObject } from 'node:crypto';

/**
 * The 32-byte lookup key of an address. It lives in a projection only: in the log it would confirm
 * an erased address for ever. `key` is at least 32 bytes and used for nothing else; `addressKey` is
 * that of `parseEmail`.
 */
export function identifierMac(key: KeyObject, addressKey: string): Buffer {
  if ((key.symmetricKeySize ?? 0) < 32)
    throw new Error('the identifier key is shorter than 32 bytes');
  return createHmac('sha256', key).update(addressKey, 'utf8').digest();
}
