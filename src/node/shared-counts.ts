import type { Charge } from './rate-limits.ts';

/** What was counted: the window of each key, so that `undo` can take it back. */
export interface SharedCounted {
  /** Milliseconds until there is room in every key; 0: now, and `take` has counted it. */
  readonly waitMs: number;
  readonly windowIndexes: readonly number[];
}

/**
 * Why a node decides on a limit without the others. `away`: no connection, `refused`: the store
 * answered with an error, `busy`: too many questions are under way.
 */
export const aloneReasons = ['away', 'slow', 'refused', 'busy'] as const;
export type AloneReason = (typeof aloneReasons)[number];

/** Where nodes count together. */
export interface SharedCounts {
  /**
   * `take` counts in all keys or, when one has no room, in none; `look` counts nothing. Never
   * throws: what the store does not answer within `sharedAnswerMs` comes out as a reason.
   */
  count(mode: 'take' | 'look', charges: readonly Charge[]): Promise<SharedCounted | AloneReason>;
  /** Takes back one count; without effect on a window that was forgotten. Does not wait. */
  undo(charges: readonly Charge[], counted: SharedCounted): void;
}

/** How long a request waits for the store. */
export const sharedAnswerMs = 50;
