export interface Instant {
  /** Wall clock, epoch milliseconds. */
  readonly now: number;
  /** A clock that nobody sets, in milliseconds. */
  readonly monotonicNow: number;
}

export type StalePolicy = 'refuse' | 'serve';

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

  constructor({ leaseSeconds, policy }: { leaseSeconds: number; policy: StalePolicy }) {
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

  /** For good: the log is not the one that this node's revocations came from. */
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
