import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type BoundTo,
  isGoodBoundCookie,
  isRecentChallenge,
  makeBoundCookie,
  sessionChallenge,
} from '../../../src/domain/session/bound-session-macs.ts';

const key = createSecretKey(Buffer.alloc(32, 1));
const otherKey = createSecretKey(Buffer.alloc(32, 2));
const sessionId = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';
const otherSession = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5c';
const windowMs = 300_000;
const now = 1_000 * windowMs;
const refresh = { purpose: 'refresh', now } as const;
const challenge = sessionChallenge(key, sessionId, refresh);
const isRecent = (at: number, by = key, id = sessionId, purpose = 'refresh' as const) =>
  isRecentChallenge(by, id, { text: challenge, purpose, now: at });

describe('the challenge of a session', () => {
  it('is the same all through its window: a browser may send its proof again', () => {
    expect(sessionChallenge(key, sessionId, { ...refresh, now: now + windowMs - 1 })).toBe(
      challenge,
    );
    expect(sessionChallenge(key, sessionId, { ...refresh, now: now + windowMs })).not.toBe(
      challenge,
    );
  });

  // Fails when a node refuses the challenge of another whose clock is ahead and has passed the
  // border of the window: Chromium never repeats a registration that was refused.
  it('is accepted in its window, in the one after, and in the one before', () => {
    for (const at of [now - windowMs, now - 1, now, now + 2 * windowMs - 1]) {
      expect(isRecent(at)).toBe(true);
    }
    for (const at of [now - windowMs - 1, now + 2 * windowMs]) expect(isRecent(at)).toBe(false);
  });

  it('is none of another session, for another purpose, under another key', () => {
    expect(isRecent(now, key, otherSession)).toBe(false);
    expect(isRecent(now, otherKey)).toBe(false);
    const registration = { text: challenge, purpose: 'registration', now } as const;
    expect(isRecentChallenge(key, sessionId, registration)).toBe(false);
  });

  it.each(['', 'x', challenge.slice(1), `${challenge}A`])('is not %j', (text) => {
    expect(isRecentChallenge(key, sessionId, { text, purpose: 'refresh', now })).toBe(false);
  });
});

describe('a bound cookie', () => {
  const to: BoundTo = { sessionId, jkt: 'thumbprint' };
  const expiresAt = now + 300_000;
  const value = makeBoundCookie(key, to, expiresAt);
  const isGood = (bound: BoundTo, at = now, text = value, by = key) =>
    isGoodBoundCookie(by, bound, { value: text, now: at });

  it('is good for its session and key until it expires', () => {
    expect(isGood(to)).toBe(true);
    expect(isGood(to, expiresAt - 1)).toBe(true);
    expect(isGood(to, expiresAt)).toBe(false);
  });

  it('is good for no other session, no other key, and under no other MAC key', () => {
    expect(isGood({ ...to, sessionId: otherSession })).toBe(false);
    expect(isGood({ ...to, jkt: 'another' })).toBe(false);
    expect(isGood(to, now, value, otherKey)).toBe(false);
  });

  // Fails when the time is beside the MAC: whoever stole the cookie could set a later one.
  it('cannot be given a later end, or another spelling', () => {
    const bytes = Buffer.from(value, 'base64url');
    bytes.writeBigUInt64BE(BigInt(expiresAt + 1));
    for (const text of [bytes.toString('base64url'), `${value}=`, ` ${value}`, '', 'x']) {
      expect(isGood(to, now, text)).toBe(false);
    }
  });

  it('is no challenge, and a challenge is no cookie', () => {
    expect(isGood(to, now, challenge)).toBe(false);
    expect(isRecentChallenge(key, sessionId, { text: value, purpose: 'refresh', now })).toBe(false);
  });
});
