import { RedisUnavailableError } from '../../platform/redis/link.ts';
import { UnreadableEventError } from '../../tables/fold-logged.ts';
import { ForeignModelError } from './foreign-model-error.ts';
import type { RedisModelMetrics } from './metrics.ts';

/**
 * Why the model does not follow the log. `event`: this release cannot read one; `foreign`: Redis
 * holds the model of another log; `refused`: Redis answers a command with an error; `redis`: it
 * does not answer; `error`: anything else.
 */
const troubleReasons = ['event', 'foreign', 'refused', 'redis', 'error'] as const;
export type TroubleReason = (typeof troubleReasons)[number];

/** A lost connection comes back sooner. */
const graceMs = 5_000;

export interface TroubleOptions {
  readonly metrics: Pick<RedisModelMetrics, 'stopped'>;
  readonly log: { error(fields: object, message: string): void };
  /** Milliseconds that only grow. */
  readonly now: () => number;
}

/** What keeps the model from following the log, once it has done so for more than a moment. */
export class Trouble {
  readonly #options: TroubleOptions;
  #since: number | null = null;
  #why: TroubleReason | null = null;

  constructor(options: TroubleOptions) {
    this.#options = options;
    this.#show();
  }

  /** Null also while it is new. */
  get why(): TroubleReason | null {
    return this.#why;
  }

  /** To be called at every failure. One that no try mends counts at once; the caller says it. */
  failed(error: unknown): void {
    const { now, log } = this.#options;
    const reason = reasonOf(error);
    this.#since ??= now();
    if (reason !== 'event' && now() < this.#since + graceMs) return;
    if (this.#why === reason) return;
    this.#why = reason;
    this.#show();
    if (reason === 'event') return;
    log.error({ why: reason, err: error }, 'the Redis read model learns of no revocation');
  }

  /** The model is at the log, or another worker's matter. */
  over(): void {
    this.#since = null;
    if (this.#why === null) return;
    this.#why = null;
    this.#show();
  }

  #show(): void {
    for (const why of troubleReasons) {
      this.#options.metrics.stopped.set({ why }, why === this.#why ? 1 : 0);
    }
  }
}

function reasonOf(error: unknown): TroubleReason {
  if (error instanceof UnreadableEventError) return 'event';
  if (error instanceof ForeignModelError) return 'foreign';
  if (!(error instanceof RedisUnavailableError)) return 'error';
  return error.reason === 'refused' ? 'refused' : 'redis';
}
