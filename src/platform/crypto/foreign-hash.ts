/** A password hash that was read, of any kind that we can compare a password with. */
export type ReadHash = Argon2Hash | BcryptHash | DerivedHash;

export interface Argon2Hash {
  readonly kind: 'argon2';
  readonly variant: 'i' | 'id';
  readonly version: 16 | 19;
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
  /** As a PHC string with its version. */
  readonly encoded: string;
}

export interface BcryptHash {
  readonly kind: 'bcrypt';
  readonly cost: number;
  readonly encoded: string;
}

/** What scrypt or PBKDF2 derived. */
export type DerivedHash = { readonly salt: Buffer; readonly digest: Buffer } & (
  | { readonly kind: 'scrypt'; readonly log2N: number; readonly r: number; readonly p: number }
  | {
      readonly kind: 'pbkdf2';
      readonly algorithm: Pbkdf2Algorithm;
      readonly iterations: number;
    }
);

export type Pbkdf2Algorithm = 'sha1' | 'sha256' | 'sha512';

/**
 * The most that one comparison may cost. At each of these bounds it takes one to two seconds of a
 * core: a hash that costs more would keep the few places for hashes from everybody else.
 */
const hashCosts = {
  bcryptCostMax: 14,
  /** N * r * p: the memory is 128 bytes times N * r. */
  scryptWorkMax: 2 ** 20,
  pbkdf2IterationsMax: 2_000_000,
  argon2MemoryKibMax: 262_144,
  /** KiB of memory times passes. */
  argon2WorkMax: 786_432,
  argon2LanesMax: 64,
} as const;

const digestBytes = { min: 16, max: 256 } as const;
const saltBytesMax = 256;
const argon2SaltBytes = { min: 8, max: 64 } as const;
const argon2DigestBytesMax = 64;
const longestEncoded = 1_024;

const base64 = '[A-Za-z0-9+/]+';
const adapted = '[A-Za-z0-9+/.]+';
const number = '[1-9][0-9]{0,9}';
const argon2Pattern = new RegExp(
  String.raw`^\$argon2(id|i)\$(?:v=(16|19)\$)?m=(${number}),t=(${number}),p=(${number})` +
    String.raw`\$(${base64})\$(${base64})$`,
);
/** OpenBSD's alphabet: 22 characters of salt, 31 of digest, the rest of the last ones zero. */
const bcryptPattern = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}$/;
const scryptPattern = new RegExp(
  String.raw`^\$scrypt\$ln=(${number}),r=(${number}),p=(${number})\$(${base64})\$(${base64})$`,
);
/** The PHC string `i=…,l=…`, and passlib's, whose rounds stand alone and whose `+` is a `.`. */
const pbkdf2Pattern = new RegExp(
  String.raw`^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(${number})(?:,l=(${number}))?` +
    String.raw`\$(${adapted})\$(${adapted})$`,
);

/**
 * Reads a hash in one of the standard encodings: PHC strings of Argon2i and Argon2id, scrypt and
 * PBKDF2, passlib's of PBKDF2, and `$2a$`, `$2b$`, `$2y$`. null for any other text. It says nothing
 * about the cost: see `isTooCostly`.
 */
export function readHash(encoded: string): ReadHash | null {
  if (encoded.length > longestEncoded) return null;
  return readArgon2(encoded) ?? readBcrypt(encoded) ?? readScrypt(encoded) ?? readPbkdf2(encoded);
}

/** Whether to compare a password with it would take longer than one comparison may. */
export function isTooCostly(hash: ReadHash): boolean {
  switch (hash.kind) {
    case 'argon2': {
      const { memoryKib, passes, lanes } = hash;
      const { argon2MemoryKibMax, argon2WorkMax, argon2LanesMax } = hashCosts;
      return (
        memoryKib > argon2MemoryKibMax ||
        memoryKib * passes > argon2WorkMax ||
        lanes > argon2LanesMax
      );
    }
    case 'bcrypt':
      return hash.cost > hashCosts.bcryptCostMax;
    case 'scrypt':
      return 2 ** hash.log2N * hash.r * hash.p > hashCosts.scryptWorkMax;
    case 'pbkdf2':
      return hash.iterations > hashCosts.pbkdf2IterationsMax;
  }
}

/** The PHC string of what scrypt or PBKDF2 derived. */
export function phcString(hash: DerivedHash): string {
  const { salt, digest } = hash;
  const [name, parameters] =
    hash.kind === 'scrypt'
      ? ['scrypt', `ln=${hash.log2N},r=${hash.r},p=${hash.p}`]
      : [`pbkdf2-${hash.algorithm}`, `i=${hash.iterations},l=${digest.length}`];
  return `$${name}$${parameters}$${unpadded(salt)}$${unpadded(digest)}`;
}

function readArgon2(encoded: string): Argon2Hash | null {
  const [, variant, version, m, t, p, saltText, digestText] = argon2Pattern.exec(encoded) ?? [];
  const salt = bytesOf(saltText);
  const digest = bytesOf(digestText);
  if (variant === undefined || salt === null || digest === null) return null;
  if (salt.length < argon2SaltBytes.min || salt.length > argon2SaltBytes.max) return null;
  if (digest.length < digestBytes.min || digest.length > argon2DigestBytesMax) return null;
  // RFC 9106 section 3.1; a string without a version is of 1.0.
  if (Number(m) < 8 * Number(p)) return null;
  const costs = `m=${m},t=${t},p=${p}`;
  return {
    kind: 'argon2',
    variant: variant as Argon2Hash['variant'],
    version: version === '19' ? 19 : 16,
    memoryKib: Number(m),
    passes: Number(t),
    lanes: Number(p),
    encoded: `$argon2${variant}$v=${version ?? '16'}$${costs}$${saltText}$${digestText}`,
  };
}

function readBcrypt(encoded: string): BcryptHash | null {
  const cost = Number(bcryptPattern.exec(encoded)?.[1]);
  return cost >= 4 && cost <= 31 ? { kind: 'bcrypt', cost, encoded } : null;
}

function readScrypt(encoded: string): DerivedHash | null {
  const [, log2N, r, p, saltText, digestText] = scryptPattern.exec(encoded) ?? [];
  const derived = derivedOf(saltText, digestText);
  if (derived === null || Number(log2N) > 63) return null;
  return { kind: 'scrypt', log2N: Number(log2N), r: Number(r), p: Number(p), ...derived };
}

function readPbkdf2(encoded: string): DerivedHash | null {
  const [, algorithm = 'sha1', iterations, length, ...texts] = pbkdf2Pattern.exec(encoded) ?? [];
  const [saltText, digestText] = texts.map((text) => text?.replaceAll('.', '+'));
  const derived = derivedOf(saltText, digestText);
  if (derived === null) return null;
  if (length !== undefined && Number(length) !== derived.digest.length) return null;
  return {
    kind: 'pbkdf2',
    algorithm: algorithm as Pbkdf2Algorithm,
    iterations: Number(iterations),
    ...derived,
  };
}

function derivedOf(saltText: string | undefined, digestText: string | undefined) {
  const salt = bytesOf(saltText);
  const digest = bytesOf(digestText);
  if (salt === null || digest === null || salt.length > saltBytesMax) return null;
  if (digest.length < digestBytes.min || digest.length > digestBytes.max) return null;
  return { salt, digest };
}

/** null for a text that is not the one spelling of its bytes. */
function bytesOf(text: string | undefined): Buffer | null {
  if (text === undefined) return null;
  const bytes = Buffer.from(text, 'base64');
  return unpadded(bytes) === text ? bytes : null;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
