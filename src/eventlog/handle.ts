import { inTime } from '../platform/in-time.ts';
import { type Command, ConflictError } from './command.ts';
import { unavailable } from './failure.ts';
import { Serial } from './serial.ts';
import type { Writer } from './writer.ts';

/**
 * What an attempt decided: at most one command to append, and what to answer once it is committed.
 */
export interface Attempt<T> {
  readonly command: Command | null;
  readonly answer: () => T | Promise<T>;
}

/** With room for what comes before and after it: a caller has its answer within two seconds. */
const deadlineMs = 1_500;

export interface HandlerOptions {
  /** Throws when the log must not be worked with. */
  readonly requireLog?: () => void;
  /**
   * Resolves once what an attempt has read is as durable as what it would have appended: a repeat
   * that finds the work done promises the same as the first answer.
   */
  readonly confirm: () => Promise<void>;
}

/**
 * Runs `attempt` (read rows, decide) and appends what it decided; on a conflict it is run again,
 * with jitter. Attempts with the same `key` in this process go one after the other. The caller
 * waits for all of it, its turn included, until the deadline and then gets `unavailable`; what was
 * sent by then may still be committed.
 */
export class CommandHandler {
  readonly #writer: Pick<Writer, 'append'>;
  readonly #options: HandlerOptions;
  readonly #serial = new Serial();

  constructor(writer: Pick<Writer, 'append'>, options: HandlerOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  async run<T>(key: string, attempt: () => Promise<Attempt<T>>): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    const looped = this.#serial.run(key, () => this.#loop(attempt, deadline));
    const late = () => unavailable('command missed its deadline');
    const answer = await inTime(looped, deadlineMs, late);
    return answer();
  }

  async #loop<T>(
    attempt: () => Promise<Attempt<T>>,
    deadline: number,
  ): Promise<Attempt<T>['answer']> {
    for (let tries = 1; ; tries += 1) {
      // Its caller has been answered: the next in the queue must not wait for it either.
      if (performance.now() >= deadline) throw unavailable('no turn before the deadline');
      this.#options.requireLog?.();
      const { command, answer } = await attempt();
      // What its caller was told is unavailable must not happen behind its back.
      if (performance.now() >= deadline) throw unavailable('read until its deadline');
      if (command === null) {
        await this.#options.confirm();
        return answer;
      }
      try {
        await this.#writer.append(command);
        return answer;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        const waitMs = Math.random() * Math.min(2 * tries, 20);
        if (performance.now() + waitMs > deadline) {
          throw unavailable(`still in conflict after ${tries} tries`, error);
        }
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }
}
