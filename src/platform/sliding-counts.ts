import { hash, randomBytes } from 'node:crypto';

/** Counters of one key: a cell in each of four rows. */
const rows = 4;
const rounding = 1e-9;

export interface SlidingCountsOptions {
  readonly windowMs: number;
  /** Cells of a row, a power of two. */
  readonly cellsPerRow?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** What `add` counted, so that `undo` can take it back. */
export interface Counted {
  readonly key: string;
  readonly windowIndex: number;
}

/** Attempts of one key: in this window, of which a part has passed (0 to 1), and in the one before. */
export interface SlidingWindow {
  readonly current: number;
  readonly previous: number;
  readonly passed: number;
}

/**
 * Windows until there is room for one more attempt below `limit` (at least 1), while the window
 * before fades; 0 if there is now.
 */
export function slidingWait({ current, previous, passed }: SlidingWindow, limit: number): number {
  const room = limit - 1;
  if (current + previous * (1 - passed) <= room + rounding) return 0;
  // Within this window, or in the next one, when what is current now has become the past.
  const roomAt = current <= room ? 1 - (room - current) / previous : 2 - room / current;
  return Math.max(0, roomAt - passed);
}

/**
 * Counts by key over the last `windowMs` in memory of a fixed size, however many keys there are: a
 * count-min sketch (Cormode and Muthukrishnan 2005) of this window and of the one before, which
 * fades out as this one passes. A count is never too low, and too high only when every cell of a
 * key is shared. No key is ever evicted, so more keys do not reset a count. The hash is keyed: a
 * stranger cannot choose keys that share the cells of another.
 */
export class SlidingCounts {
  readonly #windowMs: number;
  readonly #cellsPerRow: number;
  readonly #now: () => number;
  readonly #hashKey = randomBytes(32).toString('base64url');
  #current: Uint32Array;
  #previous: Uint32Array;
  #windowIndex: number;

  constructor({
    windowMs,
    cellsPerRow = 65_536,
    now = () => performance.now(),
  }: SlidingCountsOptions) {
    this.#windowMs = windowMs;
    this.#cellsPerRow = cellsPerRow;
    this.#now = now;
    this.#current = new Uint32Array(rows * cellsPerRow);
    this.#previous = new Uint32Array(rows * cellsPerRow);
    this.#windowIndex = Math.floor(now() / windowMs);
  }

  /** How often `key` was counted in the last window; a fraction, since the past fades. */
  count(key: string): number {
    const { current, previous } = this.#smallest(this.#cellsOf(key));
    return current + previous * (1 - this.#passed());
  }

  add(key: string): Counted {
    for (const cell of this.#cellsOf(key)) this.#current[cell]! += 1;
    return { key, windowIndex: this.#windowIndex };
  }

  /** Takes back one `add`; without effect once its window has been forgotten. */
  undo({ key, windowIndex }: Counted): void {
    const cells = this.#cellsOf(key);
    const age = this.#windowIndex - windowIndex;
    if (age > 1) return;
    const counters = age === 0 ? this.#current : this.#previous;
    for (const cell of cells) counters[cell] = Math.max(0, counters[cell]! - 1);
  }

  /**
   * Milliseconds until `key` may be counted once more without exceeding `limit` (at least 1): 0 if
   * it may now.
   */
  waitMs(key: string, limit: number): number {
    const counts = this.#smallest(this.#cellsOf(key));
    return slidingWait({ ...counts, passed: this.#passed() }, limit) * this.#windowMs;
  }

  /** The cells of `key`, in windows that are those of now. */
  #cellsOf(key: string): number[] {
    this.#turn();
    const digest = hash('sha256', `${this.#hashKey}${key}`, 'buffer');
    return Array.from({ length: rows }, (_, row) => {
      return row * this.#cellsPerRow + (digest.readUInt32LE(row * 4) % this.#cellsPerRow);
    });
  }

  #smallest(cells: readonly number[]): { current: number; previous: number } {
    const left = 1 - this.#passed();
    let smallest = { current: Number.POSITIVE_INFINITY, previous: 0 };
    for (const cell of cells) {
      const current = this.#current[cell]!;
      const previous = this.#previous[cell]!;
      if (current + previous * left < smallest.current + smallest.previous * left) {
        smallest = { current, previous };
      }
    }
    return smallest;
  }

  /** The part of this window that has passed, from 0 to 1. */
  #passed(): number {
    return Math.min(1, this.#now() / this.#windowMs - this.#windowIndex);
  }

  #turn(): void {
    const windowIndex = Math.floor(this.#now() / this.#windowMs);
    const turns = windowIndex - this.#windowIndex;
    if (turns <= 0) return;
    [this.#previous, this.#current] = [this.#current, this.#previous];
    this.#current.fill(0);
    if (turns > 1) this.#previous.fill(0);
    this.#windowIndex = windowIndex;
  }
}
