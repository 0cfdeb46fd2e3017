import { createHash } from 'node:crypto';
import { slotCount } from '@latchkey/contract/slot';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` is a UUID in the one spelling we hand out (lower case, hyphens). */
export function isId(text: string): boolean {
  return uuidPattern.test(text);
}

/**
 * The slot of what belongs to no user: clients, invites, the keyset, the administrators' guard. The
 * cell that owns it is the home cell. Users are drawn from it as from any other.
 */
export const homeSlot = 0;

/** The slot as it stands in an id and in a refresh token: three hexadecimal digits. */
export function slotText(slot: number): string {
  if (!Number.isInteger(slot) || slot < 0 || slot >= slotCount) throw new Error(`slot ${slot}`);
  return slot.toString(16).padStart(3, '0');
}

/** The slot that an id of ours carries (`rand_a` of a UUIDv7). Throws for any other text. */
export function slotOf(id: string): number {
  if (!isId(id)) throw new Error('only an id has a slot');
  return Number.parseInt(id.slice(15, 18), 16);
}

/** `id`, a UUID of version 7 or 8, in this slot. */
export function inSlot(slot: number, id: string): string {
  return id.slice(0, 15) + slotText(slot) + id.slice(18);
}

/**
 * A UUIDv8 (RFC 9562 section 5.8) in `slot` that depends on nothing but its parts: the same
 * Idempotency-Key of the same actor on the same route names the same stream, so a retry meets its
 * own first attempt.
 */
export function derivedId(slot: number, ...parts: string[]): string {
  const bytes = hashOf(parts).subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return inSlot(slot, idOfBytes(bytes));
}

/** The 16 bytes of an id. Throws for a text that is no id. */
export function bytesOfId(id: string): Buffer {
  if (!isId(id)) throw new Error('an id is a UUID');
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** The id whose 16 bytes these are. */
export function idOfBytes(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return `${groups.join('-')}-${hex.slice(20)}`;
}

/** A slot that depends on nothing but these parts, as evenly spread as one drawn at random. */
export function derivedSlot(...parts: string[]): number {
  return hashOf(['slot', ...parts]).readUInt16BE() % slotCount;
}

function hashOf(parts: readonly string[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest();
}

/** The one issuer keyset stream of a database. */
export const issuerKeysetId = derivedId(homeSlot, 'keyset', 'issuer');

/** The stream without events that guards the number of administrators (migration 000001). */
export const administratorsGuardId = '00000000-0000-8000-8000-000000000001';
