/** Hints begin no two turns within this time, however many there are. */
const hintPauseMs = 5;

/**
 * Runs `work` once for each `schedule`: after its pause, or sooner when somebody hints that there
 * is something to do. A hint that comes while `work` is under way counts for the next turn.
 */
export class HintedTimer {
  readonly #work: () => void;
  #timer: NodeJS.Timeout | null = null;
  #pauseMs = 0;
  #hinted = false;
  #begunAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(work: () => void) {
    this.#work = work;
  }

  schedule(pauseMs: number): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#pauseMs = pauseMs;
    const turn = () => {
      this.#timer = null;
      this.#hinted = false;
      this.#begunAt = performance.now();
      this.#work();
    };
    this.#timer = setTimeout(turn, this.#hinted ? Math.min(pauseMs, this.#owedMs()) : pauseMs);
  }

  hint(): void {
    if (this.#hinted) return;
    this.#hinted = true;
    if (this.#timer !== null) this.schedule(this.#pauseMs);
  }

  /** Runs nothing any more. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #owedMs(): number {
    const owedMs = this.#begunAt + hintPauseMs - performance.now();
    // A timer may end up to a millisecond early: it counts from when the loop last looked.
    return owedMs <= 0 ? 0 : Math.ceil(owedMs) + 1;
  }
}
