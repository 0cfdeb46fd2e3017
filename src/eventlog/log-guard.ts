import { LatchkeyError } from '../domain/kernel/errors.ts';
import { LogIdentityError, type LogName, readLogIdentity, restoredRemedy } from './log-identity.ts';
import type { Queryable } from './queryable.ts';
import { type Sighting, Sightings } from './sightings.ts';

/** `logId`: of the log that this process had accepted; null when it refuses the first it sees. */
export type OnRefused = (error: LogIdentityError, logId: string | null) => void;

/**
 * Knows the log that this process works with, and refuses any other: a restored copy, or the same
 * log without events that this process has seen (a failover that lost commits). A refusal stays for
 * the life of the process: the log could look whole again once new events have covered the gap.
 */
export class LogGuard {
  readonly sightings = new Sightings();
  readonly #onRefused: OnRefused;
  #known: LogName | null = null;
  #refused: LogIdentityError | null = null;
  #owed: Sighting | null = null;

  constructor(onRefused: OnRefused = () => {}) {
    this.#onRefused = onRefused;
  }

  /** Why this process refuses the log; null while it does not. */
  get refused(): LogIdentityError | null {
    return this.#refused;
  }

  /** Of the log that `check` has accepted first. Throws before that. */
  get logId(): string {
    return this.logName.logId;
  }

  /** The log that `check` has accepted, in its epoch. Throws before that. */
  get logName(): LogName {
    if (this.#known === null) throw new Error('no log was checked yet');
    return this.#known;
  }

  /** Throws `unavailable` once the log is refused. */
  require(): void {
    if (this.#refused === null) return;
    throw new LatchkeyError('unavailable', {
      detail: 'the log is refused',
      cause: this.#refused,
      retryAfterSeconds: 30,
    });
  }

  /**
   * To be called on every new connection before anything relies on it. Throws LogIdentityError when
   * this is not the log that the process knows; the loss is then also written down for the others.
   */
  async check(client: Queryable): Promise<void> {
    await this.#record(client);
    if (this.#refused !== null) throw this.#refused;
    try {
      this.#known = await readLogIdentity(client, {
        log: this.#known,
        seenPos: this.sightings.highestPos,
      });
      const missing = await this.sightings.findMissing(client);
      if (missing !== null) throw new LostEventError(missing);
    } catch (error) {
      if (!(error instanceof LogIdentityError)) throw error;
      if (error instanceof LostEventError) this.#owed = error.sighting;
      this.refuse(error);
      await this.#record(client);
      throw error;
    }
  }

  /** `check` for a caller who waits for an answer: throws `unavailable`. */
  async checkConnection(client: Queryable): Promise<void> {
    try {
      await this.check(client);
    } catch (error) {
      this.require();
      throw error;
    }
  }

  /** Refuses the log from now on. */
  refuse(error: LogIdentityError): void {
    if (this.#refused !== null) return;
    this.#refused = error;
    this.#onRefused(error, this.#known?.logId ?? null);
  }

  /** Tried again at every check: the server may not take writes yet. */
  async #record(client: Queryable): Promise<void> {
    if (this.#owed === null) return;
    const { pos } = this.#owed;
    try {
      await client.query({
        text: `insert into latchkey.log_doubts (log_epoch, pos, detail) values ($1, $2, $3)
          on conflict do nothing`,
        values: [
          this.#known?.logEpoch,
          pos,
          `the event at position ${pos} is gone or is another one`,
        ],
      });
      this.#owed = null;
    } catch {
      // This process refuses the log all the same.
    }
  }
}

class LostEventError extends LogIdentityError {
  readonly sighting: Sighting;

  constructor(sighting: Sighting) {
    super(
      `The log has lost events: this process has seen one at position ${sighting.pos} that is ` +
        `gone or is another one now. ${restoredRemedy}`,
    );
    this.sighting = sighting;
  }
}
