import { bytesOfId, idOfBytes, isId } from '../kernel/ids.ts';

const secretBytes = 32;
const offsets = { userId: 0, requestId: 16, secret: 32, end: 64 } as const;

/** What a link in a mail carries: whose request it is of, and the secret that proves the mailbox. */
export interface MailLink {
  readonly userId: string;
  readonly requestId: string;
  readonly secret: Uint8Array;
}

/** base64url of: user id (16 bytes) | request id (16) | secret (32). */
export function encodeMailLink({ userId, requestId, secret }: MailLink): string {
  if (secret.length !== secretBytes) throw new Error('the secret of a link has 32 bytes');
  return Buffer.concat([bytesOfId(userId), bytesOfId(requestId), secret]).toString('base64url');
}

/** The parts of a text in the one spelling of a link's token, or null. */
export function decodeMailLink(text: string): MailLink | null {
  if (text.length > 2 * offsets.end) return null;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== offsets.end || bytes.toString('base64url') !== text) return null;
  const userId = idOfBytes(bytes.subarray(offsets.userId, offsets.requestId));
  const requestId = idOfBytes(bytes.subarray(offsets.requestId, offsets.secret));
  if (!isId(userId) || !isId(requestId)) return null;
  return { userId, requestId, secret: bytes.subarray(offsets.secret) };
}
