import { z } from 'zod';
import { integer, itemsOf } from '../config/kinds.ts';
import { variable } from '../config/setting.ts';
import { settings } from '../config/topic.ts';
import { environment } from '../environment.ts';

export interface KeyEncryptionKey {
  readonly id: string;
  readonly key: Buffer;
}

/** `id:key,id:key`. Never put the text into a message: it is a secret. */
export const keyRing = z.string().transform((text, context): readonly KeyEncryptionKey[] => {
  const keys: KeyEncryptionKey[] = [];
  for (const entry of itemsOf(text)) {
    const [, id, encoded] = /^([A-Za-z0-9_.-]{1,64}):([A-Za-z0-9_-]+)$/.exec(entry) ?? [];
    const key = Buffer.from(encoded ?? '', 'base64url');
    if (id === undefined || key.length !== 32 || key.toString('base64url') !== encoded) {
      context.addIssue('must be a list of id:key, each key 32 bytes in base64url without padding');
      return z.NEVER;
    }
    if (isGuessable(key)) {
      context.addIssue(`holds a guessable key ${id}: take 32 random bytes (openssl rand 32)`);
      return z.NEVER;
    }
    if (keys.some((other) => other.id === id)) {
      context.addIssue(`names the key ${id} twice`);
      return z.NEVER;
    }
    keys.push({ id, key });
  }
  if (keys.length === 0) {
    context.addIssue('must hold at least one key');
    return z.NEVER;
  }
  return keys;
});

/**
 * Zeros, a repeated pattern, a count, typed text: 32 random bytes look like none of them, but for
 * one key in more than 10^12 (fewer than 16 different bytes, or printable ASCII only).
 */
function isGuessable(key: Buffer): boolean {
  const steps = key.subarray(1).map((byte, index) => byte - key[index]!);
  const isPrintable = key.every((byte) => byte >= 0x20 && byte < 0x7f);
  return new Set(key).size < 16 || new Set(steps).size < 8 || isPrintable;
}

export const encryption = settings(
  'Encryption',
  {
    kek: variable('KEK', keyRing)
      .secret()
      .says(
        'Key-encryption keys as `id:key`, 32 bytes each in base64url, comma-separated; the first one wraps new keys',
      ),
  },
  {
    rules: (own, { read, purpose, refuseIf }) =>
      refuseIf(
        read(environment).name === 'prod' && purpose === 'serve' && own.kek === undefined,
        'kek',
        'must be set in prod',
      ),
  },
);

const hashMemoryKibMin = 47_104;

export const passwords = settings(
  'Passwords',
  {
    hashMemoryKib: variable('PASSWORD_HASH_MEMORY_KIB', integer(8, 4_194_304))
      .default(hashMemoryKibMin)
      .says('Argon2id memory; less is refused in prod'),
  },
  {
    rules: (own, { read, purpose, refuseIf }) =>
      refuseIf(
        read(environment).name === 'prod' &&
          purpose === 'serve' &&
          own.hashMemoryKib < hashMemoryKibMin,
        'hashMemoryKib',
        `must be at least ${hashMemoryKibMin} in prod`,
      ),
  },
);
