import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { inTime } from '../in-time.ts';
import { connectRedis } from './connection.ts';

/**
 * Why Redis was not used. `away`: no connection, `refused`: it answered with an error, `busy`: too
 * many questions are under way.
 */
type RedisUnavailableReason = 'away' | 'slow' | 'refused' | 'busy';

/** Redis did not do it, or not in time. What was asked may have been done all the same. */
export class RedisUnavailableError extends Error {
  override readonly name = 'RedisUnavailableError';
  readonly reason: RedisUnavailableReason;

  constructor(reason: RedisUnavailableReason, options?: ErrorOptions) {
    super(`Redis is not available: ${reason}`, options);
    this.reason = reason;
  }
}

export interface RedisLinkOptions {
  readonly url: string;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
  readonly log: {
    warn(fields: object, message: string): void;
    info(fields: object, message: string): void;
  };
  /** Told whether Redis can be used, at each change. */
  readonly onChange?: (usable: boolean) => void;
}

export interface RunOptions {
  /** How long to wait; the command itself may run on. */
  readonly timeoutMs: number;
  /** Whether a Redis that refuses writes will do. Default: no. */
  readonly readsOnly?: boolean;
}

const probeMs = 1_000;
/** After an answer that was too late nobody else waits for one for so long. */
const pauseMs = 250;
const underWayMax = 1_000;

/**
 * A process's way to Redis, which may be absent, slow or refuse writes at any time. `run` fails at
 * once while it is known to be so, and never queues. A small write each second says whether Redis
 * can be used; each change is logged once.
 */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  readonly #redis: Redis;
  readonly #timer: NodeJS.Timeout;
  #failure: string | null = 'connecting';
  #lastError: unknown = null;
  #pausedUntil = 0;
  #underWay = 0;
  #probing = false;
  #closed = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    options.onChange?.(false);
    this.#redis = connectRedis(options);
    this.#redis.on('error', (error: unknown) => {
      this.#lastError = error;
    });
    this.#redis.on('ready', () => {
      this.#lastError = null;
      void this.#probe();
    });
    this.#timer = setInterval(() => void this.#probe(), probeMs);
    this.#timer.unref();
  }

  /**
   * Why Redis cannot be used, or null: `unreachable`, or the code of its own error, such as `OOM`,
   * `READONLY` or `WRONGPASS`.
   */
  get failure(): string | null {
    return this.#failure;
  }

  /** Throws RedisUnavailableError, at the latest after `timeoutMs`. */
  async run<T>(
    work: (redis: Redis) => Promise<T>,
    { timeoutMs, readsOnly = false }: RunOptions,
  ): Promise<T> {
    const reason = this.#reasonAgainst(readsOnly);
    if (reason !== null) throw new RedisUnavailableError(reason);
    this.#underWay += 1;
    const running = work(this.#redis).finally(() => {
      this.#underWay -= 1;
    });
    try {
      return await inTime(running, timeoutMs, () => new RedisUnavailableError('slow'));
    } catch (error) {
      running.catch(() => {});
      throw this.#unavailable(error);
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#redis.disconnect();
  }

  #reasonAgainst(readsOnly: boolean): RedisUnavailableReason | null {
    if (this.#redis.status !== 'ready' || this.#failure === 'unreachable') return 'away';
    if (performance.now() < this.#pausedUntil) return 'slow';
    if (this.#underWay >= underWayMax) return 'busy';
    return !readsOnly && isReplyCode(this.#failure) ? 'refused' : null;
  }

  #unavailable(error: unknown): RedisUnavailableError {
    const isLate = error instanceof RedisUnavailableError && error.reason === 'slow';
    if (isLate) this.#pausedUntil = performance.now() + pauseMs;
    if (error instanceof RedisUnavailableError) return error;
    return new RedisUnavailableError(replyCode(error) === null ? 'away' : 'refused', {
      cause: error,
    });
  }

  async #probe(): Promise<void> {
    if (this.#probing || this.#closed) return;
    this.#probing = true;
    try {
      await this.#redis.set('latchkey:probe', '1', 'PX', 10 * probeMs);
      this.#note(null);
    } catch (error) {
      this.#note(replyCode(error) ?? replyCode(this.#lastError) ?? 'unreachable', error);
    } finally {
      this.#probing = false;
    }
  }

  #note(failure: string | null, error?: unknown): void {
    if (this.#closed || failure === this.#failure) return;
    const { log, onChange } = this.#options;
    const wasUsed = this.#failure !== 'connecting';
    this.#failure = failure;
    if (failure === null) {
      if (wasUsed) log.info({}, 'Redis is back');
    } else {
      log.warn(
        { failure, err: this.#lastError ?? error },
        'Redis cannot be used: this process works without it',
      );
    }
    onChange?.(failure === null);
  }
}

const firstAnswerMs = 3_000;

/** For a command of an operator, which is nothing without Redis. Throws RedisUnavailableError. */
export async function connectedRedisLink(options: RedisLinkOptions): Promise<RedisLink> {
  const link = new RedisLink(options);
  const deadline = performance.now() + firstAnswerMs;
  while (link.failure !== null && performance.now() < deadline) await delay(50);
  if (link.failure === null) return link;
  link.close();
  throw new RedisUnavailableError('away', { cause: new Error(link.failure) });
}

/** The code of an error that Redis answered; null for any other error. */
function replyCode(error: unknown): string | null {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return null;
  return /^[A-Z]+/.exec(error.message)?.[0] ?? 'ERR';
}

function isReplyCode(failure: string | null): boolean {
  return failure !== null && /^[A-Z]+$/.test(failure);
}
