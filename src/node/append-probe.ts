import type { Queryable } from '../eventlog/queryable.ts';
import { inTime } from '../platform/in-time.ts';
import type { Logger } from '../platform/logging/logging.ts';

const freshMs = 1_000;
/** Connecting, checking and asking may each take a second; a caller of readiness waits no longer. */
const probeMs = 1_200;

/**
 * Whether an append would work now. One statement a second at most goes the same way, however many
 * ask (`latchkey.probe_append`); after an append has failed it looks more closely.
 */
export class AppendProbe {
  readonly #log: Pick<Logger, 'warn'>;
  #appender: Queryable | null = null;
  #appendedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #latest: { readonly failing: Promise<readonly string[]>; readonly at: number } | null = null;
  #logged = '';

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  /** Where appends go. */
  use(appender: Queryable): void {
    this.#appender = appender;
  }

  appended(): void {
    this.#appendedAt = performance.now();
  }

  failed(): void {
    this.#failedAt = performance.now();
  }

  /** What is failing, by name: `append`, `durability`. */
  failing(): Promise<readonly string[]> {
    const now = performance.now();
    if (this.#latest === null || now > this.#latest.at + freshMs) {
      const failing = this.#probe(this.#failedAt > this.#appendedAt);
      this.#latest = { failing, at: now };
    }
    return this.#latest.failing;
  }

  async #probe(thorough: boolean): Promise<readonly string[]> {
    const startedAt = performance.now();
    try {
      const { rows } = await inTime(
        this.#appender!.query({
          name: 'probe-append',
          text: 'select latchkey.probe_append($1) as weak',
          values: [thorough],
        }),
        probeMs,
        () => new Error('no answer in time'),
      );
      if (this.#failedAt < startedAt) this.#appendedAt = performance.now();
      const weak = rows[0]!.weak as string[];
      this.#say(weak.length === 0 ? '' : `${weak.join(', ')} would lose what was answered`);
      return weak.length === 0 ? [] : ['durability'];
    } catch (error) {
      this.#say(messageOf(error), error);
      return ['append'];
    }
  }

  #say(problem: string, error?: unknown): void {
    if (problem === this.#logged) return;
    this.#logged = problem;
    if (problem !== '') this.#log.warn({ err: error, problem }, 'an append would fail');
  }
}

function messageOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? messageOf(cause) : message;
}
