import { LatchkeyError } from '../domain/kernel/errors.ts';
import { administratorsGuardId, slotOf } from '../domain/kernel/ids.ts';
import type { Command, StreamTouch } from './command.ts';

/**
 * What of the home slot may stand beside a user's streams: the invite that pays for a registration,
 * and the guard on the number of administrators. With a second database each of these commands has
 * to become two; `docs/architecture.md` says how.
 */
export const mayCrossSlots = {
  invite: ({ kind }: StreamTouch) => kind === 'invite',
  administratorsGuard: ({ streamId }: StreamTouch) => streamId === administratorsGuardId,
} as const;

const exceptions = Object.values(mayCrossSlots);

/**
 * Raises `internal_error`, for it is a mistake of ours, unless the command keeps to one slot: two may
 * live in two databases one day.
 */
export function requireOneSlot({ streams }: Pick<Command, 'streams'>): void {
  let first: number | undefined;
  for (const touch of streams) {
    if (exceptions.some((mayCross) => mayCross(touch))) continue;
    const slot = slotOf(touch.streamId);
    first ??= slot;
    if (slot === first) continue;
    const kinds = streams.map(({ kind }) => kind).join(', ');
    throw new LatchkeyError('internal_error', {
      detail: `a command (${kinds}) touches more than one slot`,
    });
  }
}
