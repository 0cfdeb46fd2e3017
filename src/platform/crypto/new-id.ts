import { randomInt } from 'node:crypto';
import { slotCount } from '@latchkey/contract/slot';
import { v7 } from 'uuid';
import { homeSlot, inSlot } from '../../domain/kernel/ids.ts';

/**
 * A new id: UUIDv7 (RFC 9562 section 5.7), so that new rows land side by side in an index, with its
 * slot in `rand_a`. What belongs to a user takes the user's slot, everything else the home slot.
 * Ids that name no stream (requests, commands) take the home slot too, and nothing reads it.
 */
export function newId(slot: number = homeSlot): string {
  return inSlot(slot, v7());
}

/**
 * The slot of a new user. Drawn, never derived from the address: bits of its hash in every event
 * would help to confirm the address of a user who was erased.
 */
export function drawSlot(): number {
  return randomInt(slotCount);
}
