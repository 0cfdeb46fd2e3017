import { hash } from 'node:crypto';

/**
 * The proofs that this node has accepted, by the window of their nonce: each window is forgotten as
 * a whole when its nonce is taken no more. Of a proof 64 bits of a digest are kept, so two of a
 * million in a window are taken for one with a probability of 3e-8; the second is then refused.
 */
export class UsedProofs {
  readonly #perWindowMax: number;
  readonly #windows = new Map<number, DigestSet>();

  /** What a window may hold: 8 to 16 bytes for each proof. */
  constructor(perWindowMax: number) {
    this.#perWindowMax = perWindowMax;
  }

  /** `full`: nothing can be remembered of this window, so the proof must not be accepted. */
  use(jkt: string, jti: string, window: number): 'first' | 'again' | 'full' {
    let proofs = this.#windows.get(window);
    if (proofs === undefined) {
      proofs = new DigestSet();
      this.#windows.set(window, proofs);
    }
    const digest = hash('sha256', `${jkt}.${jti}`, 'buffer');
    const [high, low] = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
    if (proofs.has(high, low)) return 'again';
    if (proofs.size >= this.#perWindowMax) return 'full';
    proofs.add(high, low);
    return 'first';
  }

  /** Forgets every window before `window`. */
  forgetBefore(window: number): void {
    for (const each of this.#windows.keys()) if (each < window) this.#windows.delete(each);
  }

  get size(): number {
    return [...this.#windows.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

/** Open addressing with linear probing, at most half full; a pair of zeros marks a free place. */
class DigestSet {
  #places = new Uint32Array(2 * 1024);
  size = 0;

  has(high: number, low: number): boolean {
    const at = this.#placeOf(high, low);
    return this.#places[at] !== 0 || this.#places[at + 1] !== 0;
  }

  add(high: number, low: number): void {
    if (this.size * 4 >= this.#places.length) this.#grow();
    const at = this.#placeOf(high, low);
    this.#places[at] = high;
    this.#places[at + 1] = low;
    this.size += 1;
  }

  /** Where the digest stands, or the free place where it would. */
  #placeOf(high: number, low: number): number {
    const places = this.#places;
    const mask = places.length - 2;
    let at = (high * 2) & mask;
    while (places[at] !== 0 || places[at + 1] !== 0) {
      if (places[at] === high && places[at + 1] === low) return at;
      at = (at + 2) & mask;
    }
    return at;
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 2) {
      const [high, low] = [old[at]!, old[at + 1]!];
      if (high === 0 && low === 0) continue;
      const place = this.#placeOf(high, low);
      this.#places[place] = high;
      this.#places[place + 1] = low;
    }
  }
}
