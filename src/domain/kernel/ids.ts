import { createHash } from 'node:crypto';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` is a UUID in the one spelling we hand out (lower case, hyphens). */
export function isId(text: string): boolean {
  return uuidPattern.test(text);
}

/**
 * A UUIDv8 (RFC 9562 section 5.8) that depends on nothing but its parts: the same Idempotency-Key
 * of the same actor on the same route names the same stream, so a retry meets its own first
 * attempt.
 */
export function derivedId(...parts: string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:${part}`);
  const bytes = hash.digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return idOfBytes(bytes);
}

/** The 16 bytes of an id. Throws for a text that is no id. */
export function bytesOfId(id: string): Buffer {
  if (!isId(id)) throw new Error('an id is a UUID');
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** The id whose 16 bytes these are. */
export function idOfBytes(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The one issuer keyset stream of a database. */
export const issuerKeysetId = derivedId('keyset', 'issuer');
