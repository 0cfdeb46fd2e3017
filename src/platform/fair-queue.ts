import { LatchkeyError } from '../domain/kernel/errors.ts';
import { SlidingCounts } from './sliding-counts.ts';

/** Whose turn it is. */
export interface Turn {
  /** Who shares one place in the queue, such as a network of addresses. */
  readonly group: string;
  /** Goes before every turn that is not: such as of a device that has logged in before. */
  readonly preferred?: boolean;
  /** Whether nobody waits for the work any more; asked only while the turn waits. */
  readonly hasLeft?: () => boolean;
}

/**
 * Why work was shed: its group has its share of waiting places, all places are taken, or it gave
 * its place to a turn of a group with fewer, or its caller left while it waited.
 */
export const shedReasons = ['group_full', 'queue_full', 'displaced', 'left'] as const;
export type ShedReason = (typeof shedReasons)[number];

export interface FairQueueOptions {
  /** Pieces of work done at the same time. */
  readonly concurrencyMax: number;
  /** Turns that wait, of all groups. */
  readonly queueMax: number;
  /** Turns that wait, of one group. */
  readonly groupQueueMax: number;
  readonly onShed?: (reason: ShedReason) => void;
}

interface Waiting {
  readonly lane: string;
  readonly preferred: boolean;
  readonly hasLeft: () => boolean;
  readonly start: () => void;
  readonly shed: (reason: ShedReason) => void;
}

const servedWindowMs = 60_000;
/** For more groups at once than this the counts are a little too high. */
const servedCellsPerRow = 4_096;
/** More than any group is served in a minute. */
const behindPreferred = 2 ** 32;
/** Of groups that ask for as much, the one that was served less. */
const tieBreak = 1e-6;
const firstGuessMs = 50;

/**
 * A semaphore with a bounded queue that is fair to groups: the next turn is one of the group that
 * asks for least, preferred turns first. What a group asks for is what it was served in the last
 * minute and what waits: a group that floods is behind from its first turn on. Groups that ask for
 * as much take turns. So a newcomer waits for the work that runs, not for a flood; a group that
 * floods waits, and is shed, alone. A permit is given back when the work has ended, not when its
 * caller stopped waiting: a caller that hangs up must not let in another piece of work beside its
 * own. A turn whose caller hangs up while it waits gives up its place.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #served = new SlidingCounts({
    windowMs: servedWindowMs,
    cellsPerRow: servedCellsPerRow,
  });
  /** In the order of arrival. */
  #waiting: Waiting[] = [];
  #running = 0;
  #meanMs = firstGuessMs;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** Throws `unavailable` for work that is shed, with the time that the queue needs to drain. */
  async run<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    const lane = turn.preferred === true ? `preferred ${turn.group}` : turn.group;
    if (this.#running < this.#options.concurrencyMax) this.#running += 1;
    else await this.#turnOf(lane, turn);
    this.#served.add(lane);
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#meanMs += (performance.now() - startedAt - this.#meanMs) / 8;
      this.#handOver();
    }
  }

  /** Resolves with the permit of work that has ended. */
  #turnOf(lane: string, { preferred = false, hasLeft = () => false }: Turn): Promise<void> {
    const { queueMax, groupQueueMax } = this.#options;
    if (this.#isFull(lane)) this.#forgetThoseWhoLeft();
    if (this.#lengthOf(lane) >= groupQueueMax) throw this.#shed('group_full');
    if (this.#waiting.length >= queueMax) this.#displaceFor(lane, preferred);
    return new Promise((resolve, reject) => {
      const shed = (reason: ShedReason) => reject(this.#shed(reason));
      this.#waiting.push({ lane, preferred, hasLeft, start: resolve, shed });
    });
  }

  /**
   * Takes a place from the last turn of the longest lane, if that leaves it no shorter than this
   * one; a preferred turn takes one from any that is not.
   */
  #displaceFor(lane: string, preferred: boolean): void {
    const yieldsAt = this.#lengthOf(lane) + 2;
    let last: Waiting | undefined;
    let longest = yieldsAt;
    for (const waiting of this.#waiting) {
      if (waiting.preferred && !preferred) continue;
      const bonus = preferred && !waiting.preferred ? yieldsAt : 0;
      const length = this.#lengthOf(waiting.lane) + bonus;
      if (length >= longest) [last, longest] = [waiting, length];
    }
    if (last === undefined) throw this.#shed('queue_full');
    this.#leave(last);
    last.shed('displaced');
  }

  #isFull(lane: string): boolean {
    const { queueMax, groupQueueMax } = this.#options;
    return this.#waiting.length >= queueMax || this.#lengthOf(lane) >= groupQueueMax;
  }

  #forgetThoseWhoLeft(): void {
    for (const waiting of this.#waiting) {
      if (!waiting.hasLeft()) continue;
      this.#leave(waiting);
      waiting.shed('left');
    }
  }

  #handOver(): void {
    this.#forgetThoseWhoLeft();
    let next: Waiting | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting) {
      const served = this.#served.count(waiting.lane);
      const asked = served + this.#lengthOf(waiting.lane);
      const rank = asked + served * tieBreak + (waiting.preferred ? 0 : behindPreferred);
      if (rank < least) [next, least] = [waiting, rank];
    }
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#leave(next);
    next.start();
  }

  #lengthOf(lane: string): number {
    return this.#waiting.filter((waiting) => waiting.lane === lane).length;
  }

  #leave(turn: Waiting): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== turn);
  }

  #shed(reason: ShedReason): LatchkeyError {
    this.#options.onShed?.(reason);
    const backlog = this.#waiting.length + this.#running;
    const backlogMs = (backlog * this.#meanMs) / this.#options.concurrencyMax;
    return new LatchkeyError('unavailable', {
      retryAfterSeconds: Math.max(1, Math.ceil(backlogMs / 1000)),
      detail: `shed by its queue: ${reason}`,
    });
  }
}
