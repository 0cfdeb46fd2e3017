import { LatchkeyError } from '../domain/kernel/errors.ts';
import { isId } from '../domain/kernel/ids.ts';
import type { LogName } from '../eventlog/log-identity.ts';
import { DurableLines } from '../platform/durable-lines.ts';

/** A user who was erased, and when (epoch milliseconds). */
export interface Erasure {
  readonly userId: string;
  readonly erasedAt: number;
}

/**
 * Who was erased, kept outside the database: a backup from before an erasure knows nothing of it,
 * and whoever restores one has to erase these users again. One line of JSON each, without personal
 * data. A user may stand there twice.
 */
export class ErasureLog {
  readonly #lines: DurableLines;
  readonly #logName: LogName;

  constructor(file: string, logName: LogName) {
    this.#lines = new DurableLines(file);
    this.#logName = logName;
  }

  /**
   * To be asked before an erasure is committed. Raises `unavailable` when it could not be written
   * down.
   */
  requireWritable(): Promise<void> {
    return this.#lines.requireWritable().catch((cause) => this.#refuse(cause));
  }

  /** Resolves once the erasure is on the disk. Raises `unavailable`. */
  record({ userId, erasedAt }: Erasure): Promise<void> {
    const { logId, logEpoch } = this.#logName;
    const line = {
      user_id: userId,
      erased_at: new Date(erasedAt).toISOString(),
      log_id: logId,
      log_epoch: logEpoch,
    };
    return this.#lines.append(JSON.stringify(line)).catch((cause) => this.#refuse(cause));
  }

  /** The same for an erasure that may stand there. */
  async recordUnlessThere(erasure: Erasure): Promise<void> {
    if (!(await this.userIds()).has(erasure.userId)) await this.record(erasure);
  }

  /** Every user that stands there. A line that a crash has cut names nobody. Raises `unavailable`. */
  async userIds(): Promise<Set<string>> {
    const found = new Set<string>();
    try {
      for await (const line of this.#lines.lines()) {
        const userId = userIdOf(line);
        if (userId !== null) found.add(userId);
      }
    } catch (cause) {
      this.#refuse(cause);
    }
    return found;
  }

  /** Another text whenever the file has changed. Raises `unavailable`. */
  state(): Promise<string> {
    return this.#lines.state().catch((cause) => this.#refuse(cause));
  }

  #refuse(cause: unknown): never {
    throw new LatchkeyError('unavailable', {
      cause,
      retryAfterSeconds: 60,
      detail: `the list of erased users, ${this.#lines.file}, cannot be read or written`,
    });
  }
}

function userIdOf(line: string): string | null {
  try {
    const { user_id: userId } = JSON.parse(line) as { readonly user_id?: unknown };
    return typeof userId === 'string' && isId(userId) ? userId : null;
  } catch {
    return null;
  }
}
