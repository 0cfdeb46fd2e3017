import type { Socket } from 'node:net';

/**
 * A proxy in front may have as few as 1,024 requests under way to one process: most must be left to
 * those who are refused nothing.
 */
const heldMaxDefault = 256;

/** Where the answer will go. */
type Connection = Pick<Socket, 'destroyed' | 'once' | 'off'>;

/**
 * Refusals for a spent budget that are kept back, so that a client who asks again with each answer
 * costs an answer every few seconds. At most `heldMax` are held; one more
 * is answered at once.
 */
export class HeldRefusals {
  readonly #heldMax: number;
  readonly #endings = new Set<() => void>();
  #released = false;

  constructor(heldMax = heldMaxDefault) {
    this.#heldMax = heldMax;
  }

  get held(): number {
    return this.#endings.size;
  }

  /**
   * Resolves after `ms`; sooner when the client leaves or all are released; at once when there is
   * no place.
   */
  async hold(ms: number, connection: Connection): Promise<void> {
    if (this.#released || connection.destroyed || this.held >= this.#heldMax) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    connection.once('close', resolve);
    this.#endings.add(resolve);
    await promise;
    clearTimeout(timer);
    connection.off('close', resolve);
    this.#endings.delete(resolve);
  }

  /** Ends every hold, those to come too: a drain waits for no refusal. */
  release(): void {
    this.#released = true;
    for (const end of this.#endings) end();
  }
}
