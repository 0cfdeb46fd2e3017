/** A secret, and what a failure may call it. */
export interface Secret {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Finding {
  readonly name: string;
  /** How it was written there. */
  readonly spelling: string;
  readonly place: string;
}

interface Needle {
  readonly name: string;
  readonly spelling: string;
  readonly bytes: Buffer;
}

/** Every needle begins with so many bytes; a shorter one would be found by chance. */
const windowBytes = 16;
const bitmapBits = 24;
const multiplier = 0x01000193;

/**
 * Looks for many secrets in much data in one pass (Rabin-Karp): raw, as hex, as base64 and as
 * base64url, which is also the `d` of a JWK. A secret inside of other bytes has three more
 * spellings
 * in base64, one for each place at which it may begin.
 */
export class SecretSearch {
  readonly #needles = new Map<number, Needle[]>();
  readonly #bitmap = new Uint8Array(2 ** (bitmapBits - 3));
  readonly #leaving = leavingFactor();
  needles = 0;

  constructor(secrets: Iterable<Secret>) {
    for (const secret of secrets) {
      for (const needle of needlesOf(secret)) this.#add(needle);
    }
  }

  /** What stands in `data`, each secret once in each spelling. */
  find(data: Uint8Array, place: string): Finding[] {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const found = new Map<string, Finding>();
    let hash = 0;
    for (let end = 0; end < bytes.length; end += 1) {
      const start = end - windowBytes;
      if (start >= 0) hash = (hash - Math.imul(bytes[start]!, this.#leaving)) | 0;
      hash = (Math.imul(hash, multiplier) + bytes[end]!) | 0;
      if (start < -1 || !this.#mayBegin(hash)) continue;
      for (const { name, spelling, bytes: wanted } of this.#needles.get(hash) ?? []) {
        const from = start + 1;
        if (wanted.compare(bytes, from, Math.min(from + wanted.length, bytes.length)) !== 0)
          continue;
        found.set(`${name} ${spelling}`, { name, spelling, place });
      }
    }
    return [...found.values()];
  }

  #add(needle: Needle): void {
    if (needle.bytes.length < windowBytes) {
      throw new Error(`${needle.name} is too short to be looked for as ${needle.spelling}`);
    }
    const hash = hashOf(needle.bytes);
    const others = this.#needles.get(hash);
    if (others === undefined) this.#needles.set(hash, [needle]);
    else others.push(needle);
    const bit = hash & (2 ** bitmapBits - 1);
    this.#bitmap[bit >> 3]! |= 1 << (bit & 7);
    this.needles += 1;
  }

  #mayBegin(hash: number): boolean {
    const bit = hash & (2 ** bitmapBits - 1);
    return (this.#bitmap[bit >> 3]! & (1 << (bit & 7))) !== 0;
  }
}

export function needlesOf({ name, bytes: secret }: Secret): Needle[] {
  const bytes = Buffer.from(secret);
  const spellings: [string, Buffer][] = [['raw', bytes]];
  const hex = bytes.toString('hex');
  spellings.push(['hex', Buffer.from(hex)], ['HEX', Buffer.from(hex.toUpperCase())]);
  for (const offset of [0, 1, 2]) {
    // Cut at both ends: the characters there also spell what stands beside it.
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64url');
    const characters = Math.floor(((offset + bytes.length) * 8) / 6);
    const sure = text.slice(Math.ceil((offset * 8) / 6), characters);
    spellings.push([`base64url + ${offset}`, Buffer.from(sure)]);
    const base64 = sure.replaceAll('-', '+').replaceAll('_', '/');
    if (base64 !== sure) spellings.push([`base64 + ${offset}`, Buffer.from(base64)]);
  }
  return spellings.map(([spelling, spelled]) => ({ name, spelling, bytes: spelled }));
}

function hashOf(bytes: Uint8Array): number {
  let hash = 0;
  for (let at = 0; at < windowBytes; at += 1) hash = (Math.imul(hash, multiplier) + bytes[at]!) | 0;
  return hash;
}

/** What the first byte of a window counts in its hash. */
function leavingFactor(): number {
  let factor = 1;
  for (let at = 1; at < windowBytes; at += 1) factor = Math.imul(factor, multiplier);
  return factor;
}
