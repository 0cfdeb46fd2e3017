import { randomBytes } from 'node:crypto';
import { sha256 } from '../../domain/kernel/sha256.ts';

const prefix = 'lks_';

/**
 * 256 random bits as the client keeps them, and the hash as the log does. A secret of that length
 * needs no slow hash.
 */
export function newClientSecret(): { readonly secret: string; readonly hash: string } {
  const secret = prefix + randomBytes(32).toString('base64url');
  return { secret, hash: sha256(secret) };
}
