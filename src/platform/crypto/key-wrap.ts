import { createCipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { compactDecrypt, decodeProtectedHeader } from 'jose';
import type { KeyEncryptionKey } from './settings.ts';

/**
 * Wraps key material at rest. A KMS can stand behind it: nothing but ids, plaintext and an opaque
 * string pass.
 */
export interface KeyWrap {
  /** The result unwraps only under the same `keyId`. */
  wrap(keyId: string, plaintext: Uint8Array): Promise<string>;
  /**
   * Throws MissingKekError when this process lacks the key-encryption key, and another KeyWrapError
   * when that key is wrong, or the text belongs to another key.
   */
  unwrap(keyId: string, wrapped: string): Promise<Uint8Array>;
  /** The id of the key-encryption key that wraps. */
  readonly wrappingKekId: string;
  /** Which key-encryption key has wrapped this; null for text that is not in the wrapped form. */
  kekIdOf(wrapped: string): string | null;
  /** Whether this process has that key-encryption key. */
  hasKek(kekId: string): boolean;
}

/** A key cannot be wrapped or unwrapped. The message names ids only, never key material. */
export class KeyWrapError extends Error {
  override readonly name = 'KeyWrapError';
}

/** The key may be good: this process does not have the key-encryption key that wraps it. */
export class MissingKekError extends KeyWrapError {
  readonly kekId: string;

  constructor(keyId: string, kekId: string) {
    super(`key ${keyId} is wrapped under ${kekId}, which is not in the ring`);
    this.kekId = kekId;
  }
}

const alg = 'A256GCMKW';
const enc = 'A256GCM';
const keyBytes = 32;
const nonceBytes = 12;

/**
 * Key-encryption keys held by this process. The first of the ring wraps, all of them unwrap, so a
 * new one is put in front and the old ones stay until everything is rewrapped. The text is a
 * compact JWE (RFC 7516, RFC 7518 section 4.7) whose authenticated header names the wrapping key
 * and the wrapped one.
 */
export function localKeyWrap(ring: readonly KeyEncryptionKey[]): KeyWrap {
  const keys = new Map<string, Uint8Array>();
  for (const { id, key } of ring) {
    if (key.length !== 32) throw new KeyWrapError(`key-encryption key ${id} is not 32 bytes long`);
    if (keys.has(id)) throw new KeyWrapError(`key-encryption key ${id} is in the ring twice`);
    keys.set(id, new Uint8Array(key));
  }
  const first = ring[0];
  if (first === undefined) throw new KeyWrapError('the ring of key-encryption keys is empty');
  const wrapping = { id: first.id, key: createSecretKey(first.key) };

  return {
    wrappingKekId: wrapping.id,
    kekIdOf,
    hasKek: (kekId) => keys.has(kekId),

    async wrap(keyId, plaintext) {
      return compactJwe(plaintext, { kid: wrapping.id, for: keyId }, wrapping.key);
    },

    async unwrap(keyId, wrapped) {
      const kekId = kekIdOf(wrapped);
      if (kekId === null) {
        throw new KeyWrapError(`key ${keyId} does not unwrap: it is not in the wrapped form`);
      }
      const kek = keys.get(kekId);
      if (kek === undefined) throw new MissingKekError(keyId, kekId);
      const opened = await compactDecrypt(wrapped, kek, {
        keyManagementAlgorithms: [alg],
        contentEncryptionAlgorithms: [enc],
      }).catch(() => {
        throw new KeyWrapError(
          `key ${keyId} does not unwrap: ${kekId} is wrong, or it was altered`,
        );
      });
      if (opened.protectedHeader.for !== keyId) {
        throw new KeyWrapError(`key ${keyId} does not unwrap: it was wrapped for another key`);
      }
      return opened.plaintext;
    },
  };
}

/**
 * The same text as jose's, whose WebCrypto takes several times as long: an import makes a key for
 * each of its users.
 */
function compactJwe(
  plaintext: Uint8Array,
  names: { readonly kid: string; readonly for: string },
  kek: KeyObject,
): string {
  const random = randomBytes(keyBytes + 2 * nonceBytes);
  const contentKey = random.subarray(0, keyBytes);
  const nonces = random.subarray(keyBytes);
  const wrapped = sealed(kek, nonces.subarray(0, nonceBytes), contentKey);
  const header = JSON.stringify({ alg, enc, ...names, iv: wrapped.iv, tag: wrapped.tag });
  const protectedHeader = Buffer.from(header, 'utf8').toString('base64url');
  const content = sealed(
    createSecretKey(contentKey),
    nonces.subarray(nonceBytes),
    plaintext,
    protectedHeader,
  );
  return [protectedHeader, wrapped.text, content.iv, content.text, content.tag].join('.');
}

/** AES-256-GCM, each part in base64url. */
function sealed(key: KeyObject, nonce: Buffer, plaintext: Uint8Array, authenticated = '') {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(authenticated, 'ascii'));
  const text = Buffer.concat([cipher.update(plaintext), cipher.final()]).toString('base64url');
  const tag = cipher.getAuthTag().toString('base64url');
  return { iv: nonce.toString('base64url'), text, tag };
}

function kekIdOf(wrapped: string): string | null {
  try {
    const { kid } = decodeProtectedHeader(wrapped);
    return typeof kid === 'string' ? kid : null;
  } catch {
    // The parser's own message may quote the text.
    return null;
  }
}
