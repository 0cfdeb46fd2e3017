import { v7 } from 'uuid';

/**
 * A new stream or command id: UUIDv7 (RFC 9562 section 5.7), so that new rows land side by side in
 * an index.
 */
export function newId(): string {
  return v7();
}
