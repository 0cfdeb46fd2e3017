import { pbkdf2, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { verify as argon2Verify } from '@node-rs/argon2';
import { verify as bcryptVerify } from '@node-rs/bcrypt';
import type { Pbkdf2Algorithm, ReadHash } from './foreign-hash.ts';

const derivePbkdf2 = promisify(pbkdf2);
const deriveScrypt = promisify<
  string,
  Buffer,
  number,
  { N: number; r: number; p: number; maxmem: number },
  Buffer
>(scrypt);

/** bcrypt looks at no more of a password. */
export const bcryptBytes = 72;

const blockBytes: Record<Pbkdf2Algorithm, number> = { sha1: 20, sha256: 32, sha512: 64 };

/**
 * Compares a password with a hash, on the threads of libuv. bcrypt ignores what follows the first
 * 72 bytes of UTF-8, as it did where the hash was made.
 */
export async function matchesHash(hash: ReadHash, password: string): Promise<boolean> {
  switch (hash.kind) {
    case 'argon2':
      return argon2Verify(hash.encoded, password);
    case 'bcrypt':
      return bcryptVerify(password, hash.encoded);
    case 'scrypt': {
      const { salt, digest, log2N, r, p } = hash;
      const N = 2 ** log2N;
      const maxmem = 256 * N * r + 1024 * 1024;
      return timingSafeEqual(
        await deriveScrypt(password, salt, digest.length, { N, r, p, maxmem }),
        digest,
      );
    }
    case 'pbkdf2': {
      // Each block is derived alone, at the full price; the first one is proof enough.
      const { salt, algorithm, iterations } = hash;
      const digest = hash.digest.subarray(0, blockBytes[algorithm]);
      const derived = await derivePbkdf2(password, salt, iterations, digest.length, algorithm);
      return timingSafeEqual(derived, digest);
    }
  }
}
