import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { bytesOfId } from '../kernel/ids.ts';

const macBytes = 32;
const cookieBytes = 8 + macBytes;

/** How long one challenge is the newest. It is accepted for as long again, and as long before. */
const challengeWindowSeconds = 300;

/** What the browser is challenged for: a proof for one is none for the other. */
export type ChallengePurpose = 'registration' | 'refresh';

/**
 * The challenge of a session at `now` (epoch ms). It is the same for all of a window of five
 * minutes, so a browser may send the proof again that it has signed, and no node keeps any.
 */
export function sessionChallenge(
  key: KeyObject,
  sessionId: string,
  { purpose, now }: { purpose: ChallengePurpose; now: number },
): string {
  return challengeMac(key, sessionId, purpose, windowAt(now)).toString('base64url');
}

/**
 * Whether `text` is the challenge of the session's present window, of the one before, or of the next
 * one, where a node whose clock is ahead has given it.
 */
export function isRecentChallenge(
  key: KeyObject,
  sessionId: string,
  { text, purpose, now }: { text: string; purpose: ChallengePurpose; now: number },
): boolean {
  const given = Buffer.from(text, 'base64url');
  const current = windowAt(now);
  return [current + 1, current, current - 1].some((window) =>
    isEqual(given, challengeMac(key, sessionId, purpose, window)),
  );
}

/** Who holds a bound cookie: the session, and the thumbprint of the key that it proved. */
export interface BoundTo {
  readonly sessionId: string;
  readonly jkt: string;
}

/** A bound cookie's value: good for the session and its key until `expiresAt` (epoch ms). */
export function makeBoundCookie(key: KeyObject, to: BoundTo, expiresAt: number): string {
  const until = Buffer.alloc(8);
  until.writeBigUInt64BE(BigInt(expiresAt));
  return Buffer.concat([until, cookieMac(key, to, until)]).toString('base64url');
}

/** Whether `value` is a bound cookie of this session and this key that has not expired. */
export function isGoodBoundCookie(
  key: KeyObject,
  to: BoundTo,
  { value, now }: { value: string; now: number },
): boolean {
  const bytes = Buffer.from(value, 'base64url');
  if (bytes.length !== cookieBytes || bytes.toString('base64url') !== value) return false;
  const until = bytes.subarray(0, 8);
  if (BigInt(now) >= until.readBigUInt64BE()) return false;
  return isEqual(bytes.subarray(8), cookieMac(key, to, until));
}

function windowAt(now: number): number {
  return Math.floor(now / (challengeWindowSeconds * 1000));
}

function challengeMac(
  key: KeyObject,
  sessionId: string,
  purpose: ChallengePurpose,
  window: number,
): Buffer {
  const counted = Buffer.alloc(8);
  counted.writeBigUInt64BE(BigInt(window));
  return macOf(key, `challenge ${purpose}`, bytesOfId(sessionId), counted);
}

function cookieMac(key: KeyObject, { sessionId, jkt }: BoundTo, until: Buffer): Buffer {
  return macOf(key, 'bound cookie', bytesOfId(sessionId), until, Buffer.from(jkt));
}

/** Every part but the last has a fixed length after the label, which ends in a NUL. */
function macOf(key: KeyObject, label: string, ...parts: readonly Buffer[]): Buffer {
  const mac = createHmac('sha256', key).update(`${label}\0`);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

function isEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
