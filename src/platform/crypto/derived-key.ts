import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/**
 * A key of its own for `label`, 32 bytes, which says nothing of the key that it comes from (RFC 5869).
 * It is stored nowhere: a database that was made before has it too, and it cannot be lost alone.
 */
export function derivedKey(secret: Uint8Array, label: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', label, 32)));
}
