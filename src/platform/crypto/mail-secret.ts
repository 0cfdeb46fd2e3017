import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** What a code or a link is for: another one of these has another secret. */
export interface MailSecretContext {
  readonly purpose: string;
  readonly userId: string;
  readonly requestId: string;
  /** How often the user's address has changed. */
  readonly emailVersion: number;
  /** Epoch milliseconds; null without a password. */
  readonly passwordChangedAt: number | null;
}

/** Six digits. A 64-bit number is taken modulo a million, so no code is likelier by 1 in 10^13. */
export function mailCode(key: KeyObject, context: MailSecretContext): string {
  const code = secretOf(key, context).readBigUInt64BE(0) % 1_000_000n;
  return code.toString().padStart(6, '0');
}

/** 32 bytes. */
export function mailLinkSecret(key: KeyObject, context: MailSecretContext): Buffer {
  return secretOf(key, context);
}

export function isSameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8')];
  return left.length === right.length && timingSafeEqual(left, right);
}

function secretOf(key: KeyObject, context: MailSecretContext): Buffer {
  const { purpose, userId, requestId, emailVersion, passwordChangedAt } = context;
  const parts = ['latchkey mail v1', purpose, userId, requestId, emailVersion, passwordChangedAt];
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest();
}
