import type { Command } from '../eventlog/command.ts';
import type { LogName } from '../eventlog/log-identity.ts';
import type { RedisLink } from '../platform/redis/link.ts';
import { subscribeTo } from '../platform/redis/subscription.ts';

export interface WakeUpsOptions {
  readonly link: Pick<RedisLink, 'run'>;
  /** Of this process: what it says itself tells it nothing. */
  readonly processId: string;
  readonly log: Pick<LogName, 'logEpoch'>;
}

const channel = 'latchkey:wake';
const publishMs = 500;

/**
 * Tells the other nodes of this log to look for revocations now. A message holds the epoch of the
 * log and the sender, no content: it is a hint, and the poll finds what it is about. So a lost one
 * costs a poll's interval, and a forged one a poll.
 */
export class WakeUps {
  readonly #options: WakeUpsOptions;
  #publishing = false;
  #owed = false;

  constructor(options: WakeUpsOptions) {
    this.#options = options;
  }

  /** To be called after a commit. Waits for nothing, and never throws. */
  appended(command: Command): void {
    if ((command.rows.revocations ?? []).length > 0) this.#publish();
  }

  /** Whether `message` is a hint of another process of this log. */
  isForUs(message: string): boolean {
    const { log, processId } = this.#options;
    const [epoch, sender] = message.split(' ');
    return epoch === log.logEpoch && sender !== processId;
  }

  /** One message at a time; those who come meanwhile share the next, which is sent after them. */
  #publish(): void {
    if (this.#publishing) {
      this.#owed = true;
      return;
    }
    this.#publishing = true;
    this.#owed = false;
    const { link, log, processId } = this.#options;
    const message = `${log.logEpoch} ${processId}`;
    link
      .run((redis) => redis.publish(channel, message), { timeoutMs: publishMs, readsOnly: true })
      // Whoever was to hear it polls all the same.
      .catch(() => {})
      .finally(() => {
        this.#publishing = false;
        if (this.#owed) this.#publish();
      });
  }
}

/** Calls `onHint` for each message of another process of the log, until closed. */
export function listenForWakeUps(
  wakeUps: Pick<WakeUps, 'isForUs'>,
  {
    url,
    name,
    onHint,
  }: { readonly url: string; readonly name: string; readonly onHint: () => void },
): { close(): void } {
  const onMessage = (message: string) => {
    if (wakeUps.isForUs(message)) onHint();
  };
  return subscribeTo({ url, name, channel, onMessage });
}
