import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sessionDecider } from '../../../src/domain/session/decide.ts';
import {
  isSessionKid,
  type SessionKey,
  sessionKid,
} from '../../../src/domain/session/session-key.ts';
import { evolveSession, initialSession } from '../../../src/domain/session/state.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import { dayMs, refreshed, startedAt, startWeb, webStarted } from './sessions.ts';

const { given } = specificationFor(sessionDecider);
const sessionKey: SessionKey = {
  kid: 'kid-1',
  jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x', use: 'sig', alg: 'Ed25519', kid: 'kid-1' },
};
const withKey = { ...webStarted, data: { ...webStarted.data, sessionKey } };
const tagKey = createSecretKey(Buffer.alloc(32, 1));
const otherKey = createSecretKey(Buffer.alloc(32, 2));
const random = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('a session with a key of its own', () => {
  it('records the public key, and has it until it ends', () => {
    const started = given().when({ ...startWeb, sessionKey });
    started.thenRecords(withKey);
    expect(started.state()).toMatchObject({ status: 'live', sessionKey });
    const later = given(withKey, refreshed(2, startedAt + 1000));
    const logout = { type: 'RevokeSession', now: startedAt + 2000, reason: 'logout' } as const;
    expect(later.when(logout).state()).toMatchObject({ status: 'ended', sessionKey: null });
    const expire = { type: 'ExpireSession', now: startedAt + 8 * dayMs, idleSeconds: 0 } as const;
    expect(later.when(expire).state()).toMatchObject({ status: 'ended', sessionKey: null });
  });

  it('keeps it through a refresh', () => {
    const state = [withKey, refreshed(2, startedAt + 1000)].reduce(evolveSession, initialSession);
    expect(state).toMatchObject({ generation: 2, sessionKey });
  });

  it('has none where its login recorded none, as every one before there were such keys', () => {
    expect(evolveSession(initialSession, webStarted).sessionKey).toBeNull();
  });
});

describe('the kid of a session key', () => {
  it('carries our tag, is short enough for every header, and never looks like an option', () => {
    fc.assert(
      fc.property(random, (bytes) => {
        const kid = sessionKid(bytes, tagKey);
        if (kid === null) return bytes[0]! >> 2 === 62;
        return /^[A-Za-z0-9_][A-Za-z0-9_-]{31}$/.test(kid) && isSessionKid(kid, tagKey);
      }),
    );
  });

  // Fails when the tag is compared in part, or the text is not.
  it('is refused with any character changed, and under another key', () => {
    const kid = sessionKid(Buffer.alloc(16, 7), tagKey)!;
    for (let at = 0; at < kid.length; at++) {
      const changed = kid[at] === 'A' ? 'B' : 'A';
      const text = kid.slice(0, at) + changed + kid.slice(at + 1);
      expect(isSessionKid(text, tagKey), text).toBe(false);
    }
    expect(isSessionKid(kid, otherKey)).toBe(false);
    for (const text of ['', kid.slice(1), `${kid}A`, `${kid}=`, ` ${kid}`]) {
      expect(isSessionKid(text, tagKey), text).toBe(false);
    }
  });

  it('is refused when somebody made it up', () => {
    const text = fc.string({ minLength: 32, maxLength: 32 });
    fc.assert(fc.property(text, (kid) => !isSessionKid(kid, tagKey)));
  });
});
