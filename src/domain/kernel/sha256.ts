import { hash } from 'node:crypto';

/**
 * base64url SHA-256: how a random secret of 256 bits rests, which needs no slow hash, and what tells
 * one text from another.
 */
export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url');
}
