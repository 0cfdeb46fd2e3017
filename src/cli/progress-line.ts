const barWidth = 24;
const intervalMs = 100;

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** One line on a terminal that is drawn again as work goes on; nothing where there is none. */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #isDrawn = false;

  constructor(terminal: Terminal, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#now = now;
  }

  /** `share`: 0 to 1, or null where the end is not known. At most ten times a second. */
  draw(share: number | null, text: string): void {
    if (this.#terminal.isTTY !== true || this.#now() - this.#drawnAt < intervalMs) return;
    this.#drawnAt = this.#now();
    this.#isDrawn = true;
    const line = share === null ? text : `${bar(share)} ${text}`;
    this.#terminal.write(`\r\x1b[2K${line.slice(0, (this.#terminal.columns ?? 80) - 1)}`);
  }

  /** Takes the line away again. */
  clear(): void {
    if (this.#isDrawn) this.#terminal.write('\r\x1b[2K');
    this.#isDrawn = false;
  }
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  return `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${percent} %`;
}
