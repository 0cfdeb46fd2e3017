import { setTimeout as delay } from 'node:timers/promises';
import { highestPosition } from '../../eventlog/highest-position.ts';
import { lead, tryToLead } from '../../eventlog/leader.ts';
import type { LogGuard } from '../../eventlog/log-guard.ts';
import { LogIdentityError } from '../../eventlog/log-identity.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import type { RecordedEvent } from '../../eventlog/read.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import { Tail } from '../../eventlog/tail.ts';
import { RedisUnavailableError } from '../../platform/redis/link.ts';
import { UnreadableEventError } from '../../tables/fold-logged.ts';
import type { LeaderConnection } from '../leader-connection.ts';
import { commandsOf } from './batch.ts';
import {
  advanced,
  beginningOf,
  type Checkpoint,
  checkpointText,
  epochBeside,
} from './checkpoint.ts';
import type { RedisCommand } from './entries.ts';
import { ForeignModelError } from './foreign-model-error.ts';
import type { RedisModelMetrics } from './metrics.ts';
import { beginAnew, CheckpointMovedError } from './rebuild.ts';
import type { RedisModelStore } from './store.ts';
import { Trouble, type TroubleReason } from './trouble.ts';

export interface RedisModelOptions {
  readonly store: RedisModelStore;
  /** Opens a connection past any pooler: it holds the leader's lock. */
  readonly connect: () => Promise<LeaderConnection>;
  readonly guard: Pick<LogGuard, 'check' | 'refuse' | 'logName'>;
  readonly readers: SealedReaders;
  readonly metrics: RedisModelMetrics;
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

const redisPauseMs = 250;
const failurePauseMs = 1_000;
/** How soon it is noticed that Redis was emptied while nothing happens in the log. */
const lookMs = 1_000;

/**
 * Keeps the read model in Redis at the log: one worker leads, follows the tail, and writes what the
 * events change in one step with its checkpoint. A Redis that lost the checkpoint lost the model,
 * which is then built anew. An event that this release cannot read stops it: it would go on without
 * a revocation.
 */
export class RedisModel {
  readonly #options: RedisModelOptions;
  readonly #tail: Tail;
  readonly #stopping = new AbortController();
  readonly #trouble: Trouble;
  #checkpoint: Checkpoint | null = null;
  /** The last position that was drawn when this connection began. */
  #head = 0;
  #lookedAt = 0;
  #failure: string | null = null;

  constructor(options: RedisModelOptions) {
    this.#options = options;
    const { metrics, log } = options;
    this.#trouble = new Trouble({ metrics, log, now: () => performance.now() });
    this.#tail = new Tail({
      connect: () => this.#connect(),
      after: (client) => this.#begin(client),
      handle: (events, caughtUpTo) => this.#handle(events, caughtUpTo),
      onIdle: (caughtUpTo) => this.#look(caughtUpTo),
      onError: (error) => this.#failed(error),
    });
  }

  start(): void {
    this.#tail.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#tail.stop();
  }

  /** Why it does not follow the log; null while it does, and in the first moments of a failure. */
  get trouble(): TroubleReason | null {
    return this.#trouble.why;
  }

  async #connect() {
    const { signal } = this.#stopping;
    if (this.#failure !== null) await delay(failurePauseMs, undefined, { signal });
    const connection = await this.#options.connect();
    try {
      await this.#options.guard.check(connection.client);
      await this.#lead(connection.client);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** While another worker leads, what failed here is over. Its lock may outlast a connection. */
  async #lead(client: Queryable): Promise<void> {
    const { signal } = this.#stopping;
    if (await tryToLead(client, 'redisModel')) return;
    await delay(failurePauseMs, undefined, { signal });
    if (await tryToLead(client, 'redisModel')) return;
    this.#trouble.over();
    await lead(client, 'redisModel', signal);
  }

  async #begin(client: Queryable): Promise<number> {
    const { store, guard, readers, metrics, log } = this.#options;
    const { logName } = guard;
    this.#head = await highestPosition(client);
    this.#checkpoint = await this.#withRedis(async () => {
      const beginning = beginningOf(await store.read(), logName, this.#head);
      if (beginning.kind === 'resume') return beginning.checkpoint;
      if (beginning.kind === 'foreign') throw new ForeignModelError(beginning.logId);
      const { why } = beginning;
      const { checkpoint, deletedKeys } = await beginAnew(store, readers, logName);
      metrics.rebuilds.inc({ why });
      const from = checkpoint.pos;
      log.info({ why, from, deleted_keys: deletedKeys }, 'the Redis read model is built anew');
      return checkpoint;
    });
    return this.#checkpoint.pos;
  }

  async #handle(events: readonly RecordedEvent[], caughtUpTo: number | null): Promise<void> {
    const commands = await commandsOf(events, this.#options.readers);
    await this.#advance({ pos: events.at(-1)!.pos, caughtUpTo }, commands);
    this.#failure = null;
    this.#trouble.over();
  }

  async #advance(
    reached: { readonly pos: number; readonly caughtUpTo: number | null },
    commands: readonly RedisCommand[],
  ): Promise<void> {
    const { store, log } = this.#options;
    const from = this.#checkpoint!;
    const to = advanced(from, { ...reached, head: this.#head });
    await this.#withRedis(async () => {
      if (!(await store.advance(from, to, commands))) throw new CheckpointMovedError();
    });
    this.#checkpoint = to;
    if (from.building && !to.building) log.info({ pos: to.pos }, 'the Redis read model is whole');
  }

  async #look(caughtUpTo: number): Promise<void> {
    this.#failure = null;
    const { pos, building } = this.#checkpoint!;
    if (building && caughtUpTo >= this.#head) await this.#advance({ pos, caughtUpTo }, []);
    if (performance.now() < this.#lookedAt + lookMs) return;
    this.#lookedAt = performance.now();
    const found = await this.#options.store.read().catch((error: unknown) => {
      this.#trouble.failed(error);
      return null;
    });
    if (found === null) return;
    const expected = this.#checkpoint!;
    const isOurs = found.text === checkpointText(expected) && found.epoch === epochBeside(expected);
    if (!isOurs) throw new CheckpointMovedError();
    this.#trouble.over();
  }

  /** Waits for Redis as long as it takes; how far that leaves the model behind is a metric. */
  async #withRedis<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#stopping;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof RedisUnavailableError)) throw error;
        this.#trouble.failed(error);
        await delay(redisPauseMs, undefined, { signal });
      }
    }
  }

  /** Says each kind of failure once. */
  #failed(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const { log, guard } = this.#options;
    if (error instanceof CheckpointMovedError) {
      log.warn({}, 'the Redis read model was emptied or written by another process');
      return;
    }
    if (error instanceof LogIdentityError) guard.refuse(error);
    this.#trouble.failed(error);
    if (error instanceof UnreadableEventError) {
      log.error({ err: error }, 'the Redis read model has stopped: it would miss a revocation');
      void this.#tail.stop();
      return;
    }
    const failure = (error as Error).message;
    if (failure !== this.#failure) {
      log.warn({ err: error }, 'the Redis read model does not follow the log: it is tried again');
    }
    this.#failure = failure;
  }
}
