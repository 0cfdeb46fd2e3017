import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { LatchkeyError } from '../../domain/kernel/errors.ts';

/** Timers fire up to a few milliseconds off, by an amount that depends on when they were set. */
const coarseMarginMs = 3;

/**
 * Runs `attempt`. Its success is answered at once; its refusal leaves exactly at a multiple of
 * `floorMs` after `arrivedAt` (performance.now() when the whole request had been read), so that the
 * time tells nothing about which check refused. `onOverrun` is told of a refusal that missed the
 * first multiple: the floor is then set too low. `unavailable` is no verdict on a credential and
 * leaves at once.
 */
export async function withFloor<T>(
  floorMs: number,
  arrivedAt: number,
  attempt: () => Promise<T>,
  onOverrun: () => void = () => {},
): Promise<T> {
  try {
    return await attempt();
  } catch (refusal) {
    if (floorMs > 0 && !isUnavailable(refusal)) {
      const turns = Math.max(1, Math.ceil((performance.now() - arrivedAt) / floorMs));
      if (turns > 1) onOverrun();
      await until(arrivedAt + turns * floorMs);
    }
    throw refusal;
  }
}

function isUnavailable(refusal: unknown): boolean {
  return refusal instanceof LatchkeyError && refusal.code === 'unavailable';
}

/**
 * The last stretch yields turn by turn instead of sleeping: precise to microseconds, and it blocks
 * nobody.
 */
async function until(dueAt: number): Promise<void> {
  const coarseMs = Math.floor(dueAt - performance.now() - coarseMarginMs);
  if (coarseMs > 0) await sleep(coarseMs);
  while (performance.now() < dueAt) await nextTurn();
}
