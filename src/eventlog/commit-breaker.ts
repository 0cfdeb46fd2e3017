import { LatchkeyError } from '../domain/kernel/errors.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import type { Queryable } from './queryable.ts';

/** Commits wait for a standby that does not answer; nothing was sent. */
export class CommitsHangError extends Error {
  override readonly name = 'CommitsHangError';
}

const hangingMax = 4;
const askAgainMs = 250;

/**
 * Bounds the server processes that this installation leaves behind. One that waits for a standby
 * does not notice that its client has gone, so each try that is cut would leave another until
 * max_connections is reached. After a try was cut, the server is asked how many of them hang before
 * another is sent.
 */
export class CommitBreaker {
  readonly #asked: Queryable;
  #suspicious = false;
  #hanging: { readonly count: Promise<number>; readonly at: number } | null = null;

  /** `asked`: where the question goes; it commits nothing. */
  constructor(asked: Queryable) {
    this.#asked = asked;
  }

  /** `client` behind the breaker. */
  guard(client: Queryable): Queryable {
    return {
      query: async (statement) => {
        await this.#allow();
        try {
          return await client.query(statement);
        } catch (error) {
          if (error instanceof LatchkeyError) this.#suspicious = true;
          throw error;
        }
      },
    };
  }

  async #allow(): Promise<void> {
    if (!this.#suspicious) return;
    const now = performance.now();
    if (this.#hanging === null || now > this.#hanging.at + askAgainMs) {
      this.#hanging = { count: this.#count(), at: now };
    }
    const count = await this.#hanging.count;
    if (count === 0) this.#suspicious = false;
    if (count < hangingMax) return;
    throw new LatchkeyError('unavailable', {
      detail: 'commits hang',
      cause: new CommitsHangError(
        `${count} commits wait for a synchronous standby or the disk; no more are sent`,
      ),
      retryAfterSeconds: 1,
    });
  }

  async #count(): Promise<number> {
    const { rows } = await this.#asked.query({
      text: `select count(*) as hanging from pg_stat_activity
        where usename = current_user and state = 'active' and pid <> pg_backend_pid()
        and query_start < clock_timestamp() - interval '1 second'
        and (wait_event = 'SyncRep' or application_name like 'latchkey % writer')`,
    });
    return safeInteger(rows[0]!.hanging);
  }
}
