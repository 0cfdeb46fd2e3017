import { describe, expect, it } from 'vitest';
import { fold } from '../../../src/domain/kernel/decider.ts';
import type { SessionEvent } from '../../../src/domain/session/events.ts';
import { evolveSession, initialSession } from '../../../src/domain/session/state.ts';
import { pii, refreshed, startedAt, webStarted } from './sessions.ts';

const stateAfter = (...events: SessionEvent[]) => fold(evolveSession, initialSession, events);
const lifeMs = 900_000;
const live = stateAfter(webStarted);

/** A rotation whose access token lives this long. */
const refreshedFor = (generation: number, at: number, ttlSeconds: number): SessionEvent => {
  const event = refreshed(generation, at);
  return { ...event, data: { ...event.data, accessTokenTtlSeconds: ttlSeconds } };
};

describe('the end of the last access token', () => {
  // Fails when a shorter token replaces the end of a longer one, which lives on.
  it('is that of the one that lives longest', () => {
    expect(live.accessExpiresAt).toBe(startedAt + lifeMs);
    const at = startedAt + 1000;
    const shorter = stateAfter(webStarted, refreshedFor(2, at, 60));
    expect(shorter.accessExpiresAt).toBe(startedAt + lifeMs);
    const longer = stateAfter(webStarted, refreshedFor(2, at, 1800));
    expect(longer.accessExpiresAt).toBe(at + 1_800_000);
  });
});

describe('the generations whose access tokens may live', () => {
  const marks = (...events: SessionEvent[]) => {
    const state = stateAfter(webStarted, ...events);
    return [state.tokensFromGeneration, state.tokensMarkGeneration, state.tokensMarkUntil];
  };
  const end = startedAt + lifeMs;

  it('are all, until the first token has expired', () => {
    expect(marks()).toEqual([1, 1, end]);
    expect(marks(refreshed(2, end - 1))).toEqual([1, 1, end]);
  });

  // Fails when the mark is passed before every token below it has expired.
  it('begin with the marked one once those before it have expired', () => {
    expect(marks(refreshed(2, end))).toEqual([1, 2, end + lifeMs]);
    const second = end + lifeMs;
    expect(marks(refreshed(2, end), refreshed(3, second - 1))).toEqual([1, 2, second]);
    expect(marks(refreshed(2, end), refreshed(3, second))).toEqual([2, 3, second + lifeMs]);
  });

  it('wait for a token that lives longer than the newest', () => {
    const long = refreshedFor(2, end - 1, 1800);
    expect(marks(long, refreshedFor(3, end, 60))).toEqual([1, 3, end - 1 + 1_800_000]);
  });
});

describe('the place of a session', () => {
  it('is that of its start, until a rotation comes from another', () => {
    expect(live.pii).toBe(pii);
    const erased: SessionEvent = { type: 'SessionStarted', data: webStarted.data };
    expect(stateAfter(erased).pii).toBeNull();
  });
});

describe('the end of a session', () => {
  it('has its instant, its reason, and the device that took its place', () => {
    const data = { at: startedAt + 5, reason: 'superseded', supersededBy: 'newcomer' } as const;
    expect(stateAfter(webStarted, { type: 'SessionRevoked', data, pii })).toStrictEqual({
      ...live,
      ...{ status: 'ended', endedAt: startedAt + 5, endReason: 'superseded', endPii: pii },
    });
    const alone = stateAfter(webStarted, { type: 'SessionRevoked', data });
    expect(alone.endPii).toBeNull();
  });

  it('is also brought by the clock', () => {
    const data = { at: startedAt + 5, cause: 'idle' } as const;
    expect(stateAfter(webStarted, { type: 'SessionExpired', data })).toStrictEqual({
      ...live,
      ...{ status: 'ended', endedAt: startedAt + 5, endReason: 'expired' },
    });
  });

  it('does not come with a reuse that was found: the revocation beside it brings it', () => {
    const data = { at: startedAt, generation: 1, currentGeneration: 2 };
    expect(stateAfter(webStarted, { type: 'RefreshTokenReuseDetected', data })).toStrictEqual(live);
  });
});
