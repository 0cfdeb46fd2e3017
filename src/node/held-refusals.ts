import type { Socket } from 'node:net';

/**
 * A proxy in front may have as few as 1,024 requests under way to one process: most must be left to
 * those who are refused nothing.
 */
const heldMaxDefault = 256;
/** One network, however many connections it has, leaves places for seven others. */
const heldPerNetworkMaxDefault = 32;

/** Where the answer will go. */
interface Client {
  readonly connection: Pick<Socket, 'destroyed' | 'once' | 'off'>;
  /** Of addresses, which share places: as in the queue of hashes. */
  readonly network: string;
}

interface Options {
  readonly heldMax?: number;
  readonly heldPerNetworkMax?: number;
}

/**
 * Refusals for a spent budget that are kept back, so that a client who asks again with each answer
 * costs an answer every few seconds. At most `heldMax` are held, and `heldPerNetworkMax` of one
 * network: with more connections than that it would be answered without a pause, and its next try
 * has to cost it a connection instead. Who is asked for is no part of that rule, so to be held or
 * not tells nothing about an account.
 */
export class HeldRefusals {
  readonly #heldMax: number;
  readonly #heldPerNetworkMax: number;
  readonly #endings = new Set<() => void>();
  readonly #heldOf = new Map<string, number>();
  #released = false;

  constructor(options: Options = {}) {
    this.#heldMax = options.heldMax ?? heldMaxDefault;
    this.#heldPerNetworkMax = options.heldPerNetworkMax ?? heldPerNetworkMaxDefault;
  }

  get held(): number {
    return this.#endings.size;
  }

  /**
   * Resolves with true after `ms`, or sooner when the client leaves or all are released; with false
   * at once when there is no place: then the answer should close its connection.
   */
  async hold(ms: number, { connection, network }: Client): Promise<boolean> {
    if (this.#released || connection.destroyed || !this.#hasPlace(network)) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    connection.once('close', resolve);
    this.#endings.add(resolve);
    this.#count(network, 1);
    await promise;
    clearTimeout(timer);
    connection.off('close', resolve);
    this.#endings.delete(resolve);
    this.#count(network, -1);
    return true;
  }

  /** Ends every hold, those to come too: a drain waits for no refusal. */
  release(): void {
    this.#released = true;
    for (const end of this.#endings) end();
  }

  #hasPlace(network: string): boolean {
    const ofNetwork = this.#heldOf.get(network) ?? 0;
    return this.held < this.#heldMax && ofNetwork < this.#heldPerNetworkMax;
  }

  #count(network: string, change: 1 | -1): void {
    const count = (this.#heldOf.get(network) ?? 0) + change;
    if (count === 0) this.#heldOf.delete(network);
    else this.#heldOf.set(network, count);
  }
}
