import { createHmac } from 'node:crypto';

/**
 * The 32-byte lookup key of an address. It lives in a projection only: in the log it would confirm
 * an erased address for ever. `key` is at least 32 bytes and used for nothing else; the address is
 * already in its canonical form.
 */
export function identifierMac(key: Uint8Array, canonicalEmail: string): Buffer {
  if (key.length < 32) throw new Error('the identifier key is shorter than 32 bytes');
  return createHmac('sha256', key).update(canonicalEmail, 'utf8').digest();
}
