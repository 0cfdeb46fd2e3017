import { bytesOfId, idOfBytes } from '../kernel/ids.ts';
import { sha256 } from '../kernel/sha256.ts';

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
  if (invite.secret.length !== secretBytes) throw new Error('an invite secret has 32 bytes');
  const bytes = Buffer.concat([bytesOfId(invite.inviteId), invite.secret]);
  return prefix + bytes.toString('base64url');
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
  return {
    inviteId: idOfBytes(bytes.subarray(0, idBytes)),
    secretHash: sha256(bytes.subarray(idBytes)),
  };
}
