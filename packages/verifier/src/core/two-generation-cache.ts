/**
 * A map of bounded size that forgets what was not asked for lately. A hit in the old generation
 * moves to the young one; when the young one is full, which is at half of the bound, it becomes the
 * old one and the old one is dropped. Most hits write nothing: what a list in order of use costs at
 * each hit is more than the look-up itself.
 */
export class TwoGenerationCache<Value> {
  readonly #youngSizeMax: number;
  readonly #sizeOf: (value: Value) => number;
  #young = new Generation<Value>();
  #old = new Generation<Value>();

  /** `sizeMax`: what all values together may take, in the unit of `sizeOf`. */
  constructor(sizeMax: number, sizeOf: (value: Value) => number) {
    this.#youngSizeMax = sizeMax / 2;
    this.#sizeOf = sizeOf;
  }

  get(key: string): Value | undefined {
    const young = this.#young.values.get(key);
    if (young !== undefined) return young;
    const old = this.#old.values.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  /** A value of more than half of the bound is not kept. */
  set(key: string, value: Value): void {
    const size = this.#sizeOf(value);
    this.#young.delete(key, this.#sizeOf);
    this.#old.delete(key, this.#sizeOf);
    if (size > this.#youngSizeMax) return;
    if (this.#young.size + size > this.#youngSizeMax) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.values.set(key, value);
    this.#young.size += size;
  }

  get count(): number {
    return this.#young.values.size + this.#old.values.size;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}

class Generation<Value> {
  readonly values = new Map<string, Value>();
  size = 0;

  delete(key: string, sizeOf: (value: Value) => number): void {
    const value = this.values.get(key);
    if (value === undefined) return;
    this.values.delete(key);
    this.size -= sizeOf(value);
  }
}
