import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { LatchkeyError } from '../../domain/kernel/errors.ts';

/** Timers fire up to a few milliseconds off, by an amount that depends on when they were set. */
const coarseMarginMs = 3;
/** A hold ends between the multiples of the floor, so that it misses none. */
const heldFloorsMin = 19.5;
/** Who was refused together does not come back together: each burst would keep others waiting. */
const heldFloorsSpread = 10;

export interface Floor {
  readonly floorMs: number;
  /** performance.now() when the whole request had been read. */
  readonly arrivedAt: number;
  /** Told of a refusal that missed the first multiple: the floor is then set too low. */
  readonly onOverrun?: () => void;
  /** A success leaves at a multiple too: it must not tell what was done for it. */
  readonly keepsSuccess?: boolean;
  /** Keeps back a refusal for a spent budget, for at most `ms`. */
  readonly hold?: (ms: number) => Promise<void>;
}

/**
 * Runs `attempt`. Its success is answered at once unless `keepsSuccess`; its refusal leaves exactly
 * at a multiple of `floorMs` after `arrivedAt`, so that the time tells nothing about which check
 * refused: at the first one, or, for `rate_limited`, at one of the twentieth to twenty-ninth while
 * `hold` keeps it; `Retry-After` is then less by what it was kept. `unavailable` is no verdict on a
 * credential and leaves at once.
 */
export async function withFloor<T>(floor: Floor, attempt: () => Promise<T>): Promise<T> {
  try {
    const answer = await attempt();
    if (floor.keepsSuccess === true && floor.floorMs > 0) await until(nextMultiple(floor));
    return answer;
  } catch (refusal) {
    if (floor.floorMs > 0 && !isRefusal(refusal, 'unavailable')) throw await kept(floor, refusal);
    throw refusal;
  }
}

/** `refusal`, when it may leave. */
async function kept(floor: Floor, refusal: unknown) {
  const { floorMs, arrivedAt, hold } = floor;
  const dueAt = nextMultiple(floor);
  const refusedAt = performance.now();
  const heldFloors = heldFloorsMin + Math.floor(Math.random() * heldFloorsSpread);
  const holdMs = arrivedAt + heldFloors * floorMs - refusedAt;
  const isHeld = isRefusal(refusal, 'rate_limited') && holdMs > 0;
  if (isHeld) await hold?.(holdMs);
  await until(isHeld ? nextMultiple({ floorMs, arrivedAt }) : dueAt);
  return isHeld ? sooner(refusal, performance.now() - refusedAt) : refusal;
}

/** When an answer that is ready now may leave, by `performance.now()`. */
function nextMultiple({ floorMs, arrivedAt, onOverrun }: Floor): number {
  const floors = Math.max(1, Math.ceil((performance.now() - arrivedAt) / floorMs));
  if (floors > 1) onOverrun?.();
  return arrivedAt + floors * floorMs;
}

function isRefusal(
  refusal: unknown,
  code: 'rate_limited' | 'unavailable',
): refusal is LatchkeyError {
  return refusal instanceof LatchkeyError && refusal.code === code;
}

/** `refusal` as it is told `ms` later. */
function sooner(refusal: LatchkeyError, ms: number): LatchkeyError {
  const { code, retryAfterSeconds, detail } = refusal;
  if (retryAfterSeconds === undefined) return refusal;
  return new LatchkeyError(code, {
    retryAfterSeconds: Math.max(1, Math.ceil(retryAfterSeconds - ms / 1_000)),
    ...(detail === undefined ? {} : { detail }),
  });
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
