import { RateLimiterPostgres } from 'rate-limiter-flexible';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { inTime } from '../platform/in-time.ts';
import { sqlState } from '../platform/postgres/errors.ts';
import type { PostgresPool } from '../platform/postgres/pool.ts';
import { slidingWait } from '../platform/sliding-counts.ts';
import type { Charge } from './rate-limits.ts';
import {
  type AloneReason,
  type SharedCounted,
  type SharedCounts,
  sharedAnswerMs,
} from './shared-counts.ts';

/** After an answer that was too late, or none, nobody else waits for one for so long. */
const pauseMs = 250;
const underWayMax = 1_000;
const queryCanceled = '57014';

class LateError extends Error {}

interface PostgresCountsOptions {
  /** Epoch milliseconds, on which all nodes must agree. */
  readonly now?: () => number;
  /** Default: `sharedAnswerMs`. */
  readonly answerMs?: number;
}

/**
 * Counts in `latchkey.rate_limits`, with the atomic counters of rate-limiter-flexible: one for each
 * key and window, so that the windows slide as in `sliding-counts.ts`. An attempt counts first and
 * decides by what its own count has become, so attempts side by side cannot exceed a limit; what is
 * refused takes its counts back, and may meanwhile refuse another at the limit.
 */
export class PostgresCounts implements SharedCounts {
  readonly #limiter: RateLimiterPostgres;
  readonly #now: () => number;
  readonly #answerMs: number;
  #paused: { readonly until: number; readonly reason: AloneReason } | null = null;
  #underWay = 0;

  constructor(pool: Pick<PostgresPool, 'query'>, options: PostgresCountsOptions = {}) {
    this.#now = options.now ?? Date.now;
    this.#answerMs = options.answerMs ?? sharedAnswerMs;
    this.#limiter = new RateLimiterPostgres({
      storeClient: pool,
      storeType: 'client',
      schemaName: 'latchkey',
      tableName: 'rate_limits',
      tableCreated: true,
      clearExpiredByTimeout: false,
      keyPrefix: '',
      // Both are said with each count: a limiter serves all limits.
      points: 1,
      duration: 1,
    });
  }

  async count(
    mode: 'take' | 'look',
    charges: readonly Charge[],
  ): Promise<SharedCounted | AloneReason> {
    if (this.#paused !== null && performance.now() < this.#paused.until) return this.#paused.reason;
    if (this.#underWay >= underWayMax) return 'busy';
    this.#underWay += 1;
    const work = this.#countAll(mode, charges).finally(() => {
      this.#underWay -= 1;
    });
    try {
      return await inTime(work, this.#answerMs, () => new LateError());
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== 'refused') this.#paused = { until: performance.now() + pauseMs, reason };
      return reason;
    }
  }

  undo(charges: readonly Charge[], { windowIndexes }: SharedCounted): void {
    const now = this.#now();
    for (const [each, { key, windowMs }] of charges.entries()) {
      const index = windowIndexes[each]!;
      // Two windows later nobody reads it; a count of less than nothing must not begin there.
      if (Math.floor(now / windowMs) - index > 1) continue;
      const lasting = { customDuration: (2 * windowMs) / 1000 };
      // Counted once too often: it fades with its window.
      this.#limiter.reward(`${key} ${index}`, 1, lasting).catch(() => {});
    }
  }

  async #countAll(mode: 'take' | 'look', charges: readonly Charge[]): Promise<SharedCounted> {
    const counted = await Promise.all(charges.map((charge) => this.#countOne(mode, charge)));
    const windowIndexes = counted.map(({ index }) => index);
    const waitMs = Math.ceil(Math.max(...counted.map((each) => each.waitMs)));
    if (waitMs > 0 && mode === 'take') this.undo(charges, { waitMs, windowIndexes });
    return { waitMs, windowIndexes };
  }

  async #countOne(mode: 'take' | 'look', { key, count: limit, windowMs }: Charge) {
    const time = this.#now() / windowMs;
    const index = Math.floor(time);
    const passed = time - index;
    const points = async (window: number) =>
      (await this.#limiter.get(`${key} ${window}`))?.consumedPoints ?? 0;
    const current =
      mode === 'look' ? await points(index) : (await this.#counted(key, index, windowMs)) - 1;
    // Nobody is let in beyond the limit, so often the window before need not be asked for.
    const isDecided =
      current >= limit || slidingWait({ current, previous: limit, passed }, limit) === 0;
    const previous = isDecided ? 0 : await points(index - 1);
    return { index, waitMs: slidingWait({ current, previous, passed }, limit) * windowMs };
  }

  /** The attempts in that window, with this one. */
  async #counted(key: string, index: number, windowMs: number): Promise<number> {
    const lasting = { customDuration: (2 * windowMs) / 1000 };
    return (await this.#limiter.penalty(`${key} ${index}`, 1, lasting)).consumedPoints;
  }
}

function reasonOf(error: unknown): AloneReason {
  if (error instanceof LateError || sqlState(error) === queryCanceled) return 'slow';
  return error instanceof LatchkeyError ? 'away' : 'refused';
}
