import { createHmac, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Counter } from 'prom-client';
import { networkOf } from '../platform/client-address.ts';
import { derivedKey } from '../platform/crypto/derived-key.ts';
import { SlidingCounts } from '../platform/sliding-counts.ts';

const hourMs = 3_600_000;
const toldMax = 10_000;

interface RefusedNetworksOptions {
  /** One for all nodes: they name a network alike. */
  readonly secret: Uint8Array;
  /** Refusals of one network in an hour that an operator is told of; 0: of none. */
  readonly warnAfter: number;
  readonly told: Pick<Counter, 'inc'>;
  readonly log: { warn(fields: object, message: string): void };
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/**
 * Tells once an hour of each network (a /24 or a /48) that is refused often, in memory of a fixed
 * size however many networks there are. The line names the network by a keyed hash: an operator who
 * has its addresses finds it with `latchkey networks name`, and nobody reads an address from a log.
 */
export class RefusedNetworks {
  readonly #options: RefusedNetworksOptions;
  readonly #counts: SlidingCounts;
  readonly #told: LRUCache<string, true>;
  readonly #nameOf: (network: string) => string;

  constructor(options: RefusedNetworksOptions) {
    const now = options.now ?? (() => performance.now());
    this.#options = options;
    this.#counts = new SlidingCounts({ windowMs: hourMs, now });
    this.#told = new LRUCache({ max: toldMax, ttl: hourMs, ttlResolution: 0, perf: { now } });
    this.#nameOf = networkNames(options.secret);
  }

  /** Of one request that was refused. */
  refused(address: string): void {
    const { warnAfter, told, log } = this.#options;
    if (warnAfter === 0) return;
    const network = networkOf(address);
    this.#counts.add(network);
    const refusals = Math.floor(this.#counts.count(network));
    if (refusals < warnAfter || this.#told.has(network)) return;
    this.#told.set(network, true);
    told.inc();
    log.warn(
      { network: this.#nameOf(network), refusals },
      'one network is refused often: see `latchkey networks name`',
    );
  }
}

/** The names of networks in log lines, under a key that is derived from `secret`. */
export function networkNames(secret: Uint8Array): (network: string) => string {
  const key: KeyObject = derivedKey(secret, 'latchkey network names');
  return (network) => createHmac('sha256', key).update(network).digest('base64url').slice(0, 16);
}
