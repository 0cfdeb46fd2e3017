import { createHash } from 'node:crypto';
import { isId } from '../kernel/ids.ts';

const prefix = 'lki_';
const idBytes = 16;
const secretBytes = 32;
const textLength = prefix.length + ((idBytes + secretBytes) / 3) * 4;

/**
 * `lki_` and base64url of: invite id (16 bytes) | secret (32 random bytes). What the invited person
 * is given.
 */
export function encodeInviteCode(invite: {
  readonly inviteId: string;
  readonly secret: Uint8Array;
}): string {
  if (!isId(invite.inviteId)) throw new Error('an invite id is a UUID');
  if (invite.secret.length !== secretBytes) throw new Error('an invite secret has 32 bytes');
  const id = Buffer.from(invite.inviteId.replaceAll('-', ''), 'hex');
  return prefix + Buffer.concat([id, invite.secret]).toString('base64url');
}

/**
 * Which invite a code names, and the hash of its secret; null for any text that `encodeInviteCode`
 * does not make.
 */
export function decodeInviteCode(text: string): { inviteId: string; secretHash: string } | null {
  if (text.length !== textLength || !text.startsWith(prefix)) return null;
  const body = text.slice(prefix.length);
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.toString('base64url') !== body) return null;
  const hex = bytes.toString('hex', 0, idBytes);
  return {
    inviteId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    secretHash: hashInviteSecret(bytes.subarray(idBytes)),
  };
}

/** base64url SHA-256. A 256-bit random secret needs no slow hash. */
export function hashInviteSecret(secret: Uint8Array): string {
  return createHash('sha256').update(secret).digest('base64url');
}
