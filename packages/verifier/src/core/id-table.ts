import { randomBytes } from 'node:crypto';
import { slotCount } from '@latchkey/contract/slot';

/** The 128 bits of a UUID as four signed 32-bit words. */
export interface Id {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** Each character's hexadecimal value; 0xff for what our spelling does not use. */
const hexValues = new Uint8Array(128).fill(0xff);
for (let value = 0; value < 16; value++) hexValues[value.toString(16).charCodeAt(0)] = value;

/**
 * Only the spelling that we hand out: lower case, hyphens in their places. null for anything else.
 */
export function parseId(text: string): Id | null {
  if (text.length !== 36) return null;
  for (const at of [8, 13, 18, 23]) if (text.charCodeAt(at) !== 0x2d) return null;
  const a = parseHex(text, 0, 8);
  const b = parseHex(text, 9, 13) * 0x10000 + parseHex(text, 14, 18);
  const c = parseHex(text, 19, 23) * 0x10000 + parseHex(text, 24, 28);
  const d = parseHex(text, 28, 36);
  if (Number.isNaN(a + b + c + d)) return null;
  return { a: a | 0, b: b | 0, c: c | 0, d: d | 0 };
}

/** The slot that an id carries: the 12 bits behind the version of a UUID. */
export function slotOfId(id: Id): number {
  return id.b & (slotCount - 1);
}

function parseHex(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = hexValues[text.charCodeAt(at)] ?? 0xff;
    if (digit === 0xff) return Number.NaN;
    value = value * 16 + digit;
  }
  return value;
}

/** 64 random bits as two signed words. */
export type HashKey = readonly [number, number];

const slotWords = 6;
const slotsMin = 16;
const untilMax = 0xffff_ffff;
const shardBits = 6;

/** The table is pruned, and grows, in this many parts, so that no pause grows with it. */
export const shardCount = 1 << shardBits;

/**
 * A map from a UUID to a number with a time to live: open addressing in typed arrays, 24 bytes a
 * slot and at most two thirds full, because a Map of a million UUID strings takes ten times as
 * much.
 */
export class IdTable {
  /** Of this table alone. */
  readonly hashKey: HashKey;
  readonly #shards: readonly Shard[];
  #nextShard = 0;

  constructor(hashKey: HashKey = newHashKey()) {
    this.hashKey = hashKey;
    this.#shards = Array.from({ length: shardCount }, () => new Shard(hashKey));
  }

  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, 0);
  }

  get bytes(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.words.byteLength, 0);
  }

  /**
   * Keeps the greater value and the later end, so to set is idempotent and its order does not
   * matter.
   */
  raise(id: Id, value: number, untilSeconds: number): void {
    const hash = hashOf(this.hashKey, id.a, id.b, id.c, id.d);
    this.#shards[hash >>> (32 - shardBits)]!.raise(id, hash, value, untilSeconds);
  }

  /** The value, or -1 when the id is not there. */
  get(id: Id): number {
    const hash = hashOf(this.hashKey, id.a, id.b, id.c, id.d);
    const shard = this.#shards[hash >>> (32 - shardBits)]!;
    const at = shard.find(hash, id.a, id.b, id.c, id.d);
    return shard.words[at + 5] === 0 ? -1 : shard.words[at + 4]!;
  }

  /** In the next `shards` parts, drops what ends at or before `nowSeconds` and frees its memory. */
  prune(nowSeconds: number, shards: number): void {
    for (let count = 0; count < shards; count++) {
      this.#shards[this.#nextShard]!.prune(nowSeconds);
      this.#nextShard = (this.#nextShard + 1) % shardCount;
    }
  }
}

class Shard {
  words = new Int32Array(slotsMin * slotWords);
  size = 0;
  readonly #hashKey: HashKey;
  #slotsMask = slotsMin - 1;

  constructor(hashKey: HashKey) {
    this.#hashKey = hashKey;
  }

  raise(id: Id, hash: number, value: number, untilSeconds: number): void {
    if ((this.size + 1) * 3 > (this.#slotsMask + 1) * 2) this.#rebuild(this.size * 2, 0);
    const at = this.find(hash, id.a, id.b, id.c, id.d);
    const { words } = this;
    const before = words[at + 5]! >>> 0;
    if (before === 0) {
      words[at] = id.a;
      words[at + 1] = id.b;
      words[at + 2] = id.c;
      words[at + 3] = id.d;
      this.size += 1;
    }
    // Zero marks a free slot, so an entry ends at second 1 at the earliest.
    const until = Math.min(Math.max(untilSeconds, 1), untilMax);
    words[at + 4] = Math.max(words[at + 4]!, value);
    words[at + 5] = Math.max(before, until) | 0;
  }

  prune(nowSeconds: number): void {
    let kept = 0;
    for (let at = 5; at < this.words.length; at += slotWords) {
      if (this.words[at]! >>> 0 > nowSeconds) kept += 1;
    }
    if (kept < this.size) this.#rebuild(kept, nowSeconds);
  }

  /** Where the id is, or the free slot where it would go. */
  find(hash: number, a: number, b: number, c: number, d: number): number {
    const { words } = this;
    for (let slot = hash & this.#slotsMask; ; slot = (slot + 1) & this.#slotsMask) {
      const at = slot * slotWords;
      if (words[at + 5] === 0) return at;
      const isHalf = words[at + 3] === d && words[at + 2] === c;
      if (isHalf && words[at + 1] === b && words[at] === a) return at;
    }
  }

  #rebuild(sizeExpected: number, nowSeconds: number): void {
    const old = this.words;
    let slots = slotsMin;
    while (slots < sizeExpected * 1.5) slots *= 2;
    this.words = new Int32Array(slots * slotWords);
    this.#slotsMask = slots - 1;
    this.size = 0;
    for (let from = 0; from < old.length; from += slotWords) {
      if (old[from + 5]! >>> 0 <= nowSeconds) continue;
      const [a, b, c, d] = [old[from]!, old[from + 1]!, old[from + 2]!, old[from + 3]!];
      const to = this.find(hashOf(this.#hashKey, a, b, c, d), a, b, c, d);
      for (let word = 0; word < slotWords; word++) this.words[to + word] = old[from + word]!;
      this.size += 1;
    }
  }
}

/**
 * HalfSipHash-1-3 of the four words: with a key that no stranger knows, ids cannot be chosen to
 * fall into one slot, and UUIDv7, which begins with the time, spreads as well as any. Unsigned: its
 * high bits choose the shard, its low bits the slot.
 */
export function hashOf(key: HashKey, a: number, b: number, c: number, d: number): number {
  let v0 = key[0];
  let v1 = key[1];
  let v2 = 0x6c796765 ^ key[0];
  let v3 = 0x74656462 ^ key[1];
  for (let step = 0; step < 8; step++) {
    const word =
      step === 0 ? a : step === 1 ? b : step === 2 ? c : step === 3 ? d : lengthWord(step);
    if (step === 5) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

/** The fifth word tells the length, 16 bytes; the rounds after it take none. */
function lengthWord(step: number): number {
  return step === 4 ? 16 << 24 : 0;
}

function newHashKey(): HashKey {
  const bytes = randomBytes(8);
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
}
