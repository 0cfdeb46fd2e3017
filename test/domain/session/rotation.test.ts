import { describe, expect, it } from 'vitest';
import { fold } from '../../../src/domain/kernel/decider.ts';
import { sha256 } from '../../../src/domain/kernel/sha256.ts';
import { sessionDecider } from '../../../src/domain/session/decide.ts';
import type { SessionEvent } from '../../../src/domain/session/events.ts';
import { deriveSuccessorSecret } from '../../../src/domain/session/refresh-token.ts';
import { repeatedSuccessor } from '../../../src/domain/session/rotation.ts';
import { evolveSession, initialSession } from '../../../src/domain/session/state.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import { dayMs, refreshed, refreshWith, seenPii, startedAt, webStarted } from './sessions.ts';

const { given } = specificationFor(sessionDecider);
const rotatedAt = startedAt + 600_000;
const graceEnd = rotatedAt + 30_000;
const endsAt = startedAt + 7 * dayMs;

function reuseOf(generation: number, currentGeneration: number, at: number): SessionEvent[] {
  return [
    {
      type: 'RefreshTokenReuseDetected',
      data: { at, generation, currentGeneration },
      pii: seenPii,
    },
    { type: 'SessionRevoked', data: { at, reason: 'reuse_detected' } },
  ];
}

describe('the current refresh token', () => {
  it('rotates, again and again', () => {
    given(webStarted).when(refreshWith(1, rotatedAt)).thenRecords(refreshed(2, rotatedAt));
    given(webStarted, refreshed(2, rotatedAt))
      .when(refreshWith(2, rotatedAt + 1))
      .thenRecords(refreshed(3, rotatedAt + 1));
  });

  it('remembers the Idempotency-Key of its rotation', () => {
    given(webStarted)
      .when(refreshWith(1, rotatedAt, { idempotencyKeyHash: 'key-a' }))
      .thenRecords(refreshed(2, rotatedAt, 'key-a'));
  });

  it('makes its own secret the parent', () => {
    expect(given(webStarted).when(refreshWith(1, rotatedAt)).state()).toMatchObject({
      generation: 2,
      secretHash: 'hash-2',
      parentHash: 'hash-1',
      salt: 'salt-2',
      refreshedAt: rotatedAt,
    });
  });
});

describe('the parent of the current token, whose answer may have been lost', () => {
  const history = [webStarted, refreshed(2, rotatedAt)];

  it('gets the same successor within the grace window, with no event', () => {
    given(...history)
      .when(refreshWith(1, rotatedAt))
      .thenRecords();
    given(...history)
      .when(refreshWith(1, graceEnd))
      .thenRecords();
  });

  it('gets it also from a node whose clock is behind', () => {
    given(...history)
      .when(refreshWith(1, rotatedAt - 900))
      .thenRecords();
  });

  // Fails when `mayRepeat` counts whole seconds, a longer window, or always says yes.
  it('is reuse one millisecond after the window', () => {
    given(...history)
      .when(refreshWith(1, graceEnd + 1))
      .thenRecordsAndRefuses('session_ended', ...reuseOf(1, 2, graceEnd + 1));
  });

  it('is reuse at once where there is no window', () => {
    given(...history)
      .when(refreshWith(1, rotatedAt + 1, { graceSeconds: 0 }))
      .thenRecordsAndRefuses('session_ended', ...reuseOf(1, 2, rotatedAt + 1));
  });

  it('gets it without a time limit under the Idempotency-Key of the rotation', () => {
    given(webStarted, refreshed(2, rotatedAt, 'key-a'))
      .when(refreshWith(1, rotatedAt + 2 * dayMs, { idempotencyKeyHash: 'key-a' }))
      .thenRecords();
  });

  // Fails when `mayRepeat` drops `!== null`: no key would then equal no key.
  it('is reuse after the window under another Idempotency-Key, or none', () => {
    const late = graceEnd + 1;
    const withKey = [webStarted, refreshed(2, rotatedAt, 'key-a')];
    for (const idempotencyKeyHash of ['key-b', null]) {
      given(...withKey)
        .when(refreshWith(1, late, { idempotencyKeyHash }))
        .thenRecordsAndRefuses('session_ended', ...reuseOf(1, 2, late));
    }
    given(...history)
      .when(refreshWith(1, late, { idempotencyKeyHash: 'key-a' }))
      .thenRecordsAndRefuses('session_ended', ...reuseOf(1, 2, late));
    given(...history)
      .when(refreshWith(1, late, { idempotencyKeyHash: null }))
      .thenRecordsAndRefuses('session_ended', ...reuseOf(1, 2, late));
  });

  it('does not move the window by asking', () => {
    const state = given(...history)
      .when(refreshWith(1, graceEnd))
      .state();
    expect(state.refreshedAt).toBe(rotatedAt);
  });
});

describe('a refresh token older than the parent', () => {
  const history = [webStarted, refreshed(2, rotatedAt), refreshed(3, rotatedAt + 1000)];

  // Fails when `placeOf` calls every older generation the parent, or 'reuse' is answered without
  // its events.
  it('is reuse, also inside the window: the successor of a used token ends the session', () => {
    const now = rotatedAt + 1001;
    given(...history)
      .when(refreshWith(1, now))
      .thenRecordsAndRefuses('session_ended', ...reuseOf(1, 3, now));
  });

  it('is reuse also under the Idempotency-Key of a rotation', () => {
    const now = rotatedAt + 1001;
    given(webStarted, refreshed(2, rotatedAt, 'key-a'), refreshed(3, rotatedAt + 1000, 'key-a'))
      .when(refreshWith(1, now, { idempotencyKeyHash: 'key-a' }))
      .thenRecordsAndRefuses('session_ended', ...reuseOf(1, 3, now));
  });

  it('ends the session for the current token too', () => {
    const now = rotatedAt + 1001;
    given(...history, ...reuseOf(1, 3, now))
      .when(refreshWith(3, now + 1))
      .thenRefuses('session_ended', { facts: { ended_at: now } });
  });
});

describe('a token that this log never handed out', () => {
  const history = [webStarted, refreshed(2, rotatedAt)];

  // Fails when `planRefresh` loses `ahead`: a token from after a restored backup would then end the
  // session or rotate.
  it('is refused, and the session lives, when its generation is ahead', () => {
    given(...history)
      .when(refreshWith(3, rotatedAt))
      .thenRefuses('invalid_token', { detail: 'refresh token: ahead' });
    given(...history)
      .when(refreshWith(4, rotatedAt))
      .thenRefuses('invalid_token');
  });

  // Fails when `placeOf` compares the generation only.
  it('is refused, and the session lives, when the secret of its generation is another', () => {
    for (const generation of [1, 2]) {
      given(...history)
        .when(
          refreshWith(generation, rotatedAt, { presented: { generation, secretHash: 'other' } }),
        )
        .thenRefuses('invalid_token');
    }
  });

  // Fails when `placeOf` looks at the hash without the generation.
  it('is refused when a known secret comes under the wrong generation', () => {
    const swapped = { generation: 1, secretHash: 'hash-2' };
    given(...history)
      .when(refreshWith(1, rotatedAt, { presented: swapped }))
      .thenRefuses('invalid_token');
  });

  it('is refused for a session without refresh tokens and for one that never was', () => {
    const data = { ...webStarted.data, secretHash: null, salt: null };
    for (const generation of [0, 1, 2]) {
      given({ ...webStarted, data })
        .when(refreshWith(generation, rotatedAt))
        .thenRefuses('invalid_token', { detail: 'refresh token: mismatch' });
    }
    given()
      .when(refreshWith(1, rotatedAt))
      .thenRefuses('invalid_token', { detail: 'refresh token: unknown' });
  });
});

describe('a refresh token of a session that is over', () => {
  const superseded: SessionEvent = {
    type: 'SessionRevoked',
    data: { at: rotatedAt + 10, reason: 'superseded', supersededBy: 'newcomer' },
  };
  const loggedOut: SessionEvent = {
    type: 'SessionRevoked',
    data: { at: rotatedAt + 10, reason: 'logout' },
  };
  const history = [webStarted, refreshed(2, rotatedAt), refreshed(3, rotatedAt + 1)];
  const facts = { ended_at: rotatedAt + 10 };

  // Fails when `planRefresh` looks at the parent or the current token before the end.
  it('never rotates or repeats, also inside the window', () => {
    for (const generation of [2, 3]) {
      given(...history, loggedOut)
        .when(refreshWith(generation, rotatedAt + 11))
        .thenRefuses('session_ended', { facts });
    }
  });

  it('tells the evicted client that it was superseded', () => {
    for (const generation of [2, 3]) {
      given(...history, superseded)
        .when(refreshWith(generation, rotatedAt + 11))
        .thenRefuses('session_superseded', { facts });
    }
  });

  // Fails when `planRefresh` answers 'superseded' without asking whose token it is.
  it('tells nobody else: an old token hears that it ended, a strange one not even that', () => {
    const now = rotatedAt + 11;
    given(...history, superseded)
      .when(refreshWith(1, now))
      .thenRefuses('session_ended', { facts });
    given(...history, superseded)
      .when(refreshWith(3, now, { presented: { generation: 3, secretHash: 'other' } }))
      .thenRefuses('invalid_token');
  });

  it('records the expiry that the clock brought, absolute or idle, and nothing else', () => {
    given(...history)
      .when(refreshWith(3, endsAt))
      .thenRecordsAndRefuses('session_ended', {
        type: 'SessionExpired',
        data: { at: endsAt, cause: 'absolute' },
      });
    const idleAt = rotatedAt + 1 + 3_600_000;
    given(...history)
      .when(refreshWith(1, idleAt, { idleSeconds: 3600 }))
      .thenRecordsAndRefuses('session_ended', {
        type: 'SessionExpired',
        data: { at: idleAt, cause: 'idle' },
      });
    given(...history)
      .when(refreshWith(3, idleAt - 1, { idleSeconds: 3600 }))
      .thenRecords(refreshed(4, idleAt - 1));
  });
});

describe('the successor of a repeated parent', () => {
  const sessionId = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';
  const salt = Buffer.alloc(16, 7).toString('base64url');
  const first = Buffer.alloc(32, 1);
  const second = deriveSuccessorSecret(first, salt, sessionId, 2);
  const state = fold(evolveSession, initialSession, [
    { ...webStarted, data: { ...webStarted.data, secretHash: sha256(first) } },
    {
      type: 'SessionRefreshed',
      data: { ...refreshed(2, rotatedAt).data, secretHash: sha256(second), salt },
    },
  ] satisfies SessionEvent[]);

  it('is the very secret of the first answer, from the row and the presented secret alone', () => {
    expect(repeatedSuccessor(state, sessionId, first)).toStrictEqual(second);
  });

  it('breaks for any other secret', () => {
    expect(() => repeatedSuccessor(state, sessionId, second)).toThrow(/does not derive/);
    expect(() => repeatedSuccessor({ ...state, salt: null }, sessionId, first)).toThrow(/salt/);
  });
});
