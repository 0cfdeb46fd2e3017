import { setTimeout as delay } from 'node:timers/promises';
import { MailRefusal, type OutgoingMail, type SendMail } from '../../platform/mail/message.ts';
import type { JobLogger } from '../job.ts';
import type { MailMetrics } from './metrics.ts';

export interface MailServerOptions {
  readonly send: SendMail;
  readonly metrics: MailMetrics;
  readonly log: JobLogger;
  /** Aborted when the process is to end. */
  readonly signal: AbortSignal;
}

const pausesMs = { least: 250, most: 5_000 };
/** A restart of the server is no trouble yet. */
const troubleGraceMs = 30_000;

/** The way to the mail server, and how it has been of late. */
export class MailServer {
  readonly #options: MailServerOptions;
  #failingSince: number | null = null;
  #failures = 0;

  constructor(options: MailServerOptions) {
    this.#options = options;
    options.metrics.serverFailing.set(0);
  }

  /** Whether it has taken nothing for more than a moment. */
  get isInTrouble(): boolean {
    return this.#failingSince !== null && performance.now() > this.#failingSince + troubleGraceMs;
  }

  /** Throws MailRefusal. */
  async send(mail: OutgoingMail): Promise<void> {
    const { send, signal, metrics } = this.#options;
    const stopTimer = metrics.seconds.startTimer();
    try {
      await send(mail, signal);
      stopTimer();
      this.#answered();
    } catch (error) {
      if (error instanceof MailRefusal && error.scope === 'server') this.#failed(error);
      else this.#answered();
      throw error;
    }
  }

  /** Until the next try; each time twice as long, up to 5 seconds. */
  async pause(): Promise<void> {
    const { signal } = this.#options;
    const ms = Math.min(pausesMs.most, pausesMs.least * 2 ** Math.min(this.#failures, 10));
    await delay(ms, undefined, { signal }).catch(() => {});
  }

  #answered(): void {
    const { metrics, log } = this.#options;
    if (this.#failingSince !== null) log.info({}, 'the mail server takes mails again');
    this.#failingSince = null;
    this.#failures = 0;
    metrics.serverFailing.set(0);
  }

  #failed({ message }: MailRefusal): void {
    const { metrics, log, signal } = this.#options;
    if (signal.aborted) return;
    if (this.#failingSince === null) {
      log.warn({ reason: message }, 'the mail server does not take mails: they wait');
    }
    this.#failingSince ??= performance.now();
    this.#failures += 1;
    metrics.serverFailing.set(1);
  }
}
