import { slotCount } from '@latchkey/contract/slot';

export interface Instant {
  /** Wall clock, epoch milliseconds. */
  readonly now: number;
  /** A clock that nobody sets, in milliseconds. */
  readonly monotonicNow: number;
}

export type StalePolicy = 'refuse' | 'serve';

export interface LeaseTerms {
  readonly leaseSeconds: number;
  readonly policy: StalePolicy;
}

/**
 * For how long this node may trust its revocation set. It counts from the *start* of the last poll
 * that succeeded: what was revoked after that may be missing. Two clocks, because a suspended
 * machine stops the monotonic one and an operator can set the other back.
 */
export class Lease {
  readonly #leaseMs: number;
  readonly #policy: StalePolicy;
  #start: Instant | undefined;
  #forfeited = false;

  constructor({ leaseSeconds, policy }: LeaseTerms) {
    this.#leaseMs = leaseSeconds * 1000;
    this.#policy = policy;
  }

  /**
   * A poll that began at `start` has succeeded. Answers may arrive out of order: the latest start
   * counts.
   */
  renew(start: Instant): void {
    if (this.#start !== undefined && start.monotonicNow < this.#start.monotonicNow) return;
    this.#start = start;
  }

  /**
   * Ends the lease for ever. Call it when the node learns that its revocations came from another
   * log.
   */
  forfeit(): void {
    this.#forfeited = true;
  }

  isFresh({ now, monotonicNow }: Instant): boolean {
    const start = this.#start;
    if (start === undefined || this.#forfeited) return false;
    return monotonicNow < start.monotonicNow + this.#leaseMs && now < start.now + this.#leaseMs;
  }

  /**
   * Whether a token may be accepted: always while fresh; after that only by policy, and never
   * before a first poll.
   */
  allows(instant: Instant): boolean {
    if (this.isFresh(instant)) return true;
    return this.#policy === 'serve' && this.#start !== undefined && !this.#forfeited;
  }

  /** Seconds since the last good poll began, for metrics; Infinity before the first. */
  ageSeconds({ now, monotonicNow }: Instant): number {
    if (this.#start === undefined) return Number.POSITIVE_INFINITY;
    const elapsed = Math.max(monotonicNow - this.#start.monotonicNow, now - this.#start.now);
    return elapsed / 1000;
  }
}

/**
 * A lease for each log that revocations are read from. A token counts on the log that the slot of
 * its session lives in, so the outage of one log refuses no token of another.
 */
export class LogLeases {
  readonly #terms: LeaseTerms;
  readonly #byLog = new Map<string, Lease>();
  readonly #bySlot: Lease[];

  constructor(terms: LeaseTerms) {
    this.#terms = terms;
    // Slots of no log yet: nothing of them may be accepted.
    this.#bySlot = new Array<Lease>(slotCount).fill(new Lease(terms));
  }

  /** The lease on a log, and so on the tokens of all slots that were put into it. */
  ofLog(logId: string): Lease {
    let lease = this.#byLog.get(logId);
    if (lease === undefined) {
      lease = new Lease(this.#terms);
      this.#byLog.set(logId, lease);
    }
    return lease;
  }

  /** Says in which log the sessions of these slots are; all slots when none are named. */
  put(logId: string, slots?: readonly number[]): void {
    const lease = this.ofLog(logId);
    if (slots === undefined) this.#bySlot.fill(lease);
    else for (const slot of slots) this.#bySlot[slot] = lease;
  }

  /** `slot`: 0 to 4,095. */
  ofSlot(slot: number): Lease {
    return this.#bySlot[slot]!;
  }

  /** Whether tokens of any log may be accepted. */
  allowsSome(instant: Instant): boolean {
    return [...this.#byLog.values()].some((lease) => lease.allows(instant));
  }

  /** Whether every log is known to the moment. */
  areFresh(instant: Instant): boolean {
    return this.#byLog.size > 0 && [...this.#byLog.values()].every((each) => each.isFresh(instant));
  }

  /** Of the log that was read longest ago; Infinity before the first poll of any. */
  ageSeconds(instant: Instant): number {
    if (this.#byLog.size === 0) return Number.POSITIVE_INFINITY;
    return Math.max(...[...this.#byLog.values()].map((lease) => lease.ageSeconds(instant)));
  }
}
