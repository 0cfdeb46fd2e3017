import { describe, expect, it } from 'vitest';
import { sessionDecider } from '../../../src/domain/session/decide.ts';
import type { SessionEvent } from '../../../src/domain/session/events.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import { dayMs, refreshed, refreshWith, startedAt, webStarted } from './sessions.ts';

const { given } = specificationFor(sessionDecider);
const minuteMs = 60_000;
const at = startedAt + minuteMs;
const amr = ['pwd', 'otp', 'mfa'];
const stepUpAt = (now: number) => ({
  ...({ type: 'StepUpSession', now, amr, accessTokenTtlSeconds: 300 } as const),
  ...{ idleSeconds: 0, sessionTtlSeconds: 604_800 },
});
const steppedUp = (generation: number, now: number, accessTokenTtlSeconds = 300): SessionEvent => ({
  type: 'SessionSteppedUp',
  data: { at: now, generation, amr, accessTokenTtlSeconds },
});

describe('a step-up', () => {
  it('makes one token of the next generation, and leaves the session as it began', () => {
    const outcome = given(webStarted).when(stepUpAt(at));
    outcome.thenRecords(steppedUp(2, at));
    expect(outcome.state()).toMatchObject({
      ...{ amr: ['pwd'], startedAt, generation: 1, stepUps: 1 },
      ...{ secretHash: 'hash-1', parentHash: null, salt: 'salt-1', refreshedAt: startedAt },
    });
  });

  it('numbers on, and the next refresh too: no two tokens share a jti', () => {
    const twice = [webStarted, steppedUp(2, at), steppedUp(3, at + 1)];
    given(...twice)
      .when(stepUpAt(at + 2))
      .thenRecords(steppedUp(4, at + 2));
    const next = refreshWith(1, at + 2, { successor: { secretHash: 'hash-4' }, newSalt: 'salt-4' });
    given(...twice)
      .when(next)
      .thenRecords(refreshed(4, at + 2));
  });

  // Fails when the refresh token from before a step-up counts as used, or as that of another log.
  it('costs nobody the refresh token: the one from before is the current one', () => {
    const after = given(webStarted, steppedUp(2, at), refreshed(3, at + 1));
    after.when(refreshWith(1, at + 2)).thenRecords();
    const older = given(webStarted, refreshed(2, at), steppedUp(3, at), refreshed(4, at + 1));
    older.when(refreshWith(2, at + 2)).thenRecords();
    older.when(refreshWith(1, at + 2)).thenRecordsAndRefuses(
      'session_ended',
      {
        type: 'RefreshTokenReuseDetected',
        data: { at: at + 2, generation: 1, currentGeneration: 4 },
        pii: expect.any(Uint8Array),
      },
      { type: 'SessionRevoked', data: { at: at + 2, reason: 'reuse_detected' } },
    );
    older.when(refreshWith(3, at + 2)).thenRefuses('invalid_token');
  });

  it('is remembered as long as its token lives, so that a revocation covers it', () => {
    const late = startedAt + 800_000;
    const { accessExpiresAt } = given(webStarted).when(stepUpAt(late)).state();
    expect(accessExpiresAt).toBe(late + 300_000);
  });

  it('makes no token that outlives the session, and none of one that is over', () => {
    const end = startedAt + 7 * dayMs;
    given(webStarted)
      .when(stepUpAt(end - 10_000))
      .thenRecords(steppedUp(2, end - 10_000, 10));
    given(webStarted).when(stepUpAt(end)).thenRefuses('invalid_token');
    given(webStarted, { type: 'SessionRevoked', data: { at, reason: 'logout' } })
      .when(stepUpAt(at + 1))
      .thenRefuses('invalid_token');
  });
});
