import { setTimeout as delay } from 'node:timers/promises';
import { lead } from '../../eventlog/leader.ts';
import type { LogGuard } from '../../eventlog/log-guard.ts';
import { LogIdentityError } from '../../eventlog/log-identity.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import type { RecordedEvent } from '../../eventlog/read.ts';
import { Tail } from '../../eventlog/tail.ts';
import { UnreadableEventError } from '../../tables/fold-logged.ts';
import type { LeaderConnection } from '../leader-connection.ts';
import { CheckpointMovedError, moveCheckpoint, openCheckpoint } from './checkpoint.ts';
import { mailsOf, type QueuedMail } from './jobs.ts';
import type { MailOutboxMetrics } from './metrics.ts';

export interface MailOutboxOptions {
  /** Opens a connection past any pooler: it holds the leader's lock. */
  readonly connect: () => Promise<LeaderConnection>;
  readonly guard: Pick<LogGuard, 'check' | 'refuse' | 'logName'>;
  /** Queues mails on this connection, in the transaction that it is in; answers how many are new. */
  readonly enqueue: (client: Queryable, mails: readonly QueuedMail[]) => Promise<number>;
  /** Called once mails are committed. */
  readonly onQueued: () => void;
  readonly metrics: MailOutboxMetrics;
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

const failurePauseMs = 1_000;
/** A person waits for a code, but not for milliseconds. */
const pollMs = 100;
/** Events without a mail are read again after a crash: that costs less than to write down each. */
const saveEveryMs = 1_000;
/** A lost connection comes back sooner. */
const troubleGraceMs = 10_000;

/**
 * The log is the outbox: one worker leads, follows the log and queues the mails that its events
 * cause, in one transaction with its checkpoint. So each is queued exactly once, also when a worker
 * is killed or two believe to lead. It begins at the head of a log that it has never followed.
 */
export class MailOutbox {
  readonly #options: MailOutboxOptions;
  readonly #tail: Tail;
  readonly #stopping = new AbortController();
  #client: Queryable | null = null;
  /** What stands in the database. */
  #saved = 0;
  #reached = 0;
  #savedAt = 0;
  #failure: string | null = null;
  #failingSince: number | null = null;
  #hasStopped = false;

  constructor(options: MailOutboxOptions) {
    this.#options = options;
    options.metrics.stopped.set(0);
    this.#tail = new Tail({
      connect: () => this.#connect(),
      after: (client) => this.#begin(client),
      handle: (events) => this.#handle(events),
      onIdle: () => this.#save(),
      onError: (error) => this.#failed(error),
      pollMs,
    });
  }

  start(): void {
    this.#tail.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#tail.stop();
  }

  /** Whether it has not followed the log for more than a moment. */
  get isInTrouble(): boolean {
    const since = this.#failingSince;
    return this.#hasStopped || (since !== null && performance.now() > since + troubleGraceMs);
  }

  async #connect() {
    const { signal } = this.#stopping;
    if (this.#failure !== null) await delay(failurePauseMs, undefined, { signal });
    const connection = await this.#options.connect();
    try {
      await this.#options.guard.check(connection.client);
      this.#over();
      await lead(connection.client, 'mailOutbox', signal);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async #begin(client: Queryable): Promise<number> {
    const { guard, log } = this.#options;
    const pos = await openCheckpoint(client, guard.logName, log);
    this.#client = client;
    this.#saved = pos;
    this.#reached = pos;
    return pos;
  }

  async #handle(events: readonly RecordedEvent[]): Promise<void> {
    const { guard, metrics, onQueued } = this.#options;
    const { logId } = guard.logName;
    const mails = await mailsOf(this.#client!, events, { logId, now: Date.now() });
    const to = events.at(-1)!.pos;
    if (mails.length === 0) this.#reached = to;
    else {
      const queued = await this.#queue(mails, to);
      for (const { job } of mails) metrics.queued.inc({ kind: job.kind });
      metrics.limited.inc(mails.length - queued);
      onQueued();
    }
    await this.#save();
  }

  async #queue(mails: readonly QueuedMail[], to: number): Promise<number> {
    const { enqueue, guard } = this.#options;
    const client = this.#client!;
    // A failure in between costs the connection, and with it the transaction.
    await client.query({ text: 'begin' });
    await moveCheckpoint(client, guard.logName, { from: this.#saved, to });
    const queued = await enqueue(client, mails);
    await client.query({ text: 'commit' });
    this.#saved = to;
    this.#reached = to;
    this.#savedAt = performance.now();
    return queued;
  }

  async #save(): Promise<void> {
    this.#over();
    if (this.#reached === this.#saved || performance.now() < this.#savedAt + saveEveryMs) return;
    const { guard } = this.#options;
    await moveCheckpoint(this.#client!, guard.logName, { from: this.#saved, to: this.#reached });
    this.#saved = this.#reached;
    this.#savedAt = performance.now();
  }

  #over(): void {
    this.#failure = null;
    this.#failingSince = null;
  }

  /** Says each kind of failure once. */
  #failed(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const { log, guard, metrics } = this.#options;
    if (error instanceof CheckpointMovedError) {
      log.warn({}, 'another worker has queued the mails: this one goes on after them');
      return;
    }
    if (error instanceof LogIdentityError) guard.refuse(error);
    if (error instanceof UnreadableEventError) {
      this.#hasStopped = true;
      metrics.stopped.set(1);
      log.error({ err: error }, 'no mail is sent any more: this release cannot read an event');
      void this.#tail.stop();
      return;
    }
    this.#failingSince ??= performance.now();
    const failure = (error as Error).message;
    if (failure !== this.#failure) {
      log.warn({ err: error }, 'the mail outbox does not follow the log: it is tried again');
    }
    this.#failure = failure;
  }
}
