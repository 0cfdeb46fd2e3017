import { createHmac, type KeyObject } from 'node:crypto';
import { clockSkewMsMax } from '../eventlog/database-clock.ts';

/**
 * The nonces that proofs must carry (RFC 9449 section 8): one for each window of time, a MAC of its
 * number, so every node knows them all and stores none. A nonce is taken in its window and the next
 * one, and in the one before, for nodes whose clock is behind.
 */
export class DpopNonces {
  readonly #key: KeyObject;
  readonly #windowMs: number;
  #window = Number.NaN;
  #taken: readonly string[] = [];

  constructor(key: KeyObject, windowSeconds: number) {
    this.#key = key;
    this.#windowMs = windowSeconds * 1000;
  }

  /** For the next proof; `now` in epoch milliseconds. */
  current(now: number): string {
    return this.#takenAt(now)[1]!;
  }

  /** The number of the window whose nonce it is, or null for any that is not taken now. */
  windowOf(nonce: string, now: number): number | null {
    const index = this.#takenAt(now).indexOf(nonce);
    return index === -1 ? null : this.#window - 1 + index;
  }

  windowAt(now: number): number {
    return Math.floor(now / this.#windowMs);
  }

  /** When no node takes the nonce of `window` any more, in epoch milliseconds. */
  endOf(window: number): number {
    return (window + 2) * this.#windowMs + nodeSkewMs;
  }

  /** Of the window before, the present one and the next. */
  #takenAt(now: number): readonly string[] {
    const window = this.windowAt(now);
    if (window !== this.#window) {
      this.#window = window;
      this.#taken = [window - 1, window, window + 1].map((each) => this.#nonceOf(each));
    }
    return this.#taken;
  }

  #nonceOf(window: number): string {
    const mac = createHmac('sha256', this.#key).update(String(window), 'latin1').digest();
    return mac.subarray(0, 16).toString('base64url');
  }
}

/** Between two nodes, each of them so far from the database's clock. */
const nodeSkewMs = 2 * clockSkewMsMax;
