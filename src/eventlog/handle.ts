import { LatchkeyError } from '../domain/kernel/errors.ts';
import { type Command, ConflictError } from './command.ts';
import { Serial } from './serial.ts';
import type { Writer } from './writer.ts';

/** What an attempt decided: at most one command to append, and what to answer once it is committed. */
export interface Attempt<T> {
  readonly command: Command | null;
  readonly answer: () => T | Promise<T>;
}

const deadlineMs = 2_000;

/**
 * Runs `attempt` (read rows, decide) and appends what it decided; on a conflict it is run again, with jitter, until the
 * deadline, then `unavailable`. Attempts with the same `key` in this process go one after the other.
 */
export class CommandHandler {
  readonly #writer: Pick<Writer, 'append'>;
  readonly #serial = new Serial();

  constructor(writer: Pick<Writer, 'append'>) {
    this.#writer = writer;
  }

  async run<T>(key: string, attempt: () => Promise<Attempt<T>>): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    const answer = await this.#serial.run(key, () => this.#loop(attempt, deadline));
    return answer();
  }

  async #loop<T>(
    attempt: () => Promise<Attempt<T>>,
    deadline: number,
  ): Promise<Attempt<T>['answer']> {
    for (let tries = 1; ; tries += 1) {
      const { command, answer } = await attempt();
      if (command === null) return answer;
      try {
        await this.#writer.append(command);
        return answer;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        const waitMs = Math.random() * Math.min(2 * tries, 20);
        if (performance.now() + waitMs > deadline) {
          throw new LatchkeyError('unavailable', {
            detail: `still in conflict after ${tries} tries`,
            retryAfterSeconds: 1,
            cause: error,
          });
        }
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }
}
