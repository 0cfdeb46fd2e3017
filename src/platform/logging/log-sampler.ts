/**
 * Lets through the first `perSecondMax` log lines of a kind in each second, and counts the others:
 * who is refused a thousand times a second must not fill the disk. The count goes with the next
 * line that is let through.
 */
export class LogSampler {
  readonly #perSecondMax: number;
  readonly #kinds = new Map<string, { second: number; lines: number; skipped: number }>();

  constructor(perSecondMax = 10) {
    this.#perSecondMax = perSecondMax;
  }

  /**
   * null when the line of this kind is one too many, else what to add to it: how many were skipped
   * before. Kinds come from a fixed set, such as error codes. `now` is in milliseconds.
   */
  admit(kind: string, now: number = performance.now()): { skipped?: number } | null {
    const second = Math.floor(now / 1000);
    const seen = this.#kinds.get(kind) ?? { second, lines: 0, skipped: 0 };
    if (seen.second !== second) Object.assign(seen, { second, lines: 0 });
    this.#kinds.set(kind, seen);
    seen.lines += 1;
    if (seen.lines > this.#perSecondMax) {
      seen.skipped += 1;
      return null;
    }
    const { skipped } = seen;
    seen.skipped = 0;
    return skipped === 0 ? {} : { skipped };
  }
}
