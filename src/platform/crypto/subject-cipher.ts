import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { KeyWrap } from './key-wrap.ts';

const formatVersion = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 1 + nonceBytes;

/** The bytes are not what `sealPersonalData` wrote for this subject under this key. */
export class PersonalDataError extends Error {
  override readonly name = 'PersonalDataError';
}

/** A fresh AES-256 key. To delete it is to erase everything sealed under it. */
export function createSubjectKey(): Buffer {
  return randomBytes(32);
}

/**
 * AES-256-GCM: version byte, 12-byte nonce, ciphertext, 16-byte tag. The subject's id is
 * authenticated with it.
 */
export function sealPersonalData(
  key: Uint8Array,
  subjectId: string,
  record: Readonly<Record<string, string>>,
): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', keyObject(key), nonce);
  cipher.setAAD(additionalData(subjectId));
  const sealed = cipher.update(JSON.stringify(record), 'utf8');
  return Buffer.concat([
    Buffer.of(formatVersion),
    nonce,
    sealed,
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/**
 * The inverse of `sealPersonalData`. Throws PersonalDataError for another subject, another key or
 * altered bytes.
 */
export function openPersonalData(
  key: Uint8Array,
  subjectId: string,
  bytes: Uint8Array,
): Record<string, string> {
  if (bytes.length < headBytes + tagBytes || bytes[0] !== formatVersion) {
    throw new PersonalDataError('personal data is not in a known format');
  }
  const nonce = bytes.subarray(1, headBytes);
  const decipher = createDecipheriv('aes-256-gcm', keyObject(key), nonce, {
    authTagLength: tagBytes,
  });
  decipher.setAAD(additionalData(subjectId));
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  try {
    const opened = decipher.update(bytes.subarray(headBytes, bytes.length - tagBytes));
    return JSON.parse(Buffer.concat([opened, decipher.final()]).toString('utf8'));
  } catch (cause) {
    throw new PersonalDataError(`personal data of subject ${subjectId} does not open`, { cause });
  }
}

/** Node takes bytes for a key at three times the price of a KeyObject made of them. */
function keyObject(key: Uint8Array) {
  return createSecretKey(key);
}

function additionalData(subjectId: string): Buffer {
  return Buffer.from(`latchkey.pii.v${formatVersion}:${subjectId}`, 'utf8');
}

export interface SubjectKeysOptions {
  readonly keyWrap: KeyWrap;
  readonly cachedKeysMax: number;
  /** How long an erased subject's key lingers in a process that was not told to forget it. */
  readonly cachedKeyTtlSeconds?: number;
}

/** A request that read a row before the erasure is answered, or given up, by then. */
const requestMsMax = 60_000;

/** Unwrapped subject keys, at most `cachedKeysMax` of them in memory. */
export class SubjectKeys {
  readonly #keyWrap: KeyWrap;
  readonly #cache: LRUCache<string, Buffer>;
  /** Of a subject that stands here, no key is kept. */
  readonly #forgotten: LRUCache<string, true>;

  constructor({ keyWrap, cachedKeysMax, cachedKeyTtlSeconds = 600 }: SubjectKeysOptions) {
    this.#keyWrap = keyWrap;
    this.#cache = new LRUCache({ max: cachedKeysMax, ttl: cachedKeyTtlSeconds * 1000 });
    this.#forgotten = new LRUCache({ max: cachedKeysMax, ttl: requestMsMax });
  }

  /**
   * A fresh key, and its wrapped form for `subject_keys`. It is cached only once it has been read
   * back.
   */
  async newSubjectKey(subjectId: string): Promise<{ key: Buffer; wrapped: string }> {
    const key = createSubjectKey();
    return { key, wrapped: await this.#keyWrap.wrap(subjectKeyId(subjectId), key) };
  }

  /**
   * The key behind the row of `subject_keys`. Throws KeyWrapError when it was wrapped for another
   * subject.
   */
  async unwrap(subjectId: string, wrapped: string): Promise<Buffer> {
    const cached = this.#cache.get(subjectId);
    if (cached !== undefined) return cached;
    const key = Buffer.from(await this.#keyWrap.unwrap(subjectKeyId(subjectId), wrapped));
    if (!this.#forgotten.has(subjectId)) this.#cache.set(subjectId, key);
    return key;
  }

  /**
   * The subject may have been erased: this process no longer knows the key, and for a minute keeps
   * none, as a request may hold what it read before.
   */
  forget(subjectId: string): void {
    this.#forgotten.set(subjectId, true);
    this.#cache.delete(subjectId);
  }
}

/** Under which key id a subject's key is wrapped. */
export function subjectKeyId(subjectId: string): string {
  return `subject:${subjectId}`;
}
