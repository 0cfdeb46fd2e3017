import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { type RevokeSession, sessionDecider } from '../../../src/domain/session/decide.ts';
import type { SessionEvent } from '../../../src/domain/session/events.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  dayMs,
  pii,
  refreshed,
  refreshWith,
  seenPii,
  startedAt,
  startWeb,
  webStarted,
} from './sessions.ts';

const { given } = specificationFor(sessionDecider);
const endsAt = startedAt + 7 * dayMs;
const logout: RevokeSession = { type: 'RevokeSession', now: startedAt + 5000, reason: 'logout' };

describe('starting a session', () => {
  it('records who, where, how and until when', () => {
    given().when(startWeb).thenRecords(webStarted);
  });

  it('makes generation 1, whose access token is the only one', () => {
    expect(given().when(startWeb).state()).toMatchObject({
      status: 'live',
      generation: 1,
      parentHash: null,
      accessExpiresAt: startedAt + 900_000,
    });
  });

  it('gives a service no refresh token and ends with its access token', () => {
    given()
      .when({
        ...startWeb,
        deviceType: 'service',
        lifetimes: { accessTokenTtlSeconds: 3600, sessionTtlSeconds: 999_999, refreshable: false },
        secretHash: null,
        salt: null,
      })
      .thenRecords({
        ...webStarted,
        data: {
          ...webStarted.data,
          deviceType: 'service',
          expiresAt: startedAt + 3_600_000,
          accessTokenTtlSeconds: 3600,
          secretHash: null,
          salt: null,
        },
      });
  });

  it('never lets an access token outlive the session', () => {
    given()
      .when({
        ...startWeb,
        lifetimes: { accessTokenTtlSeconds: 900, sessionTtlSeconds: 60, refreshable: true },
      })
      .thenRecords({
        ...webStarted,
        data: { ...webStarted.data, expiresAt: startedAt + 60_000, accessTokenTtlSeconds: 60 },
      });
  });

  it('breaks on a second start, a missing secret, and a secret that must not be', () => {
    given(webStarted)
      .when(startWeb)
      .thenBreaks(/starts once/);
    given()
      .when({ ...startWeb, secretHash: null })
      .thenBreaks(/has a secret/);
    given()
      .when({ ...startWeb, salt: null })
      .thenBreaks(/has a secret/);
    const lifetimes = { ...startWeb.lifetimes, refreshable: false };
    given()
      .when({ ...startWeb, lifetimes })
      .thenBreaks(/has a secret/);
  });
});

describe('what a session is granted', () => {
  // Fails when `start` asks for no room, or for more than a token has.
  it('fits into a token, to the last character', () => {
    const [most, more] = [0, 1].map((extra) =>
      'a'.repeat(limits.tokenAudiencesCharactersMax - 3 + extra),
    );
    given()
      .when({ ...startWeb, audience: [most!] })
      .thenRecords({ ...webStarted, data: { ...webStarted.data, audience: [most!] } });
    given()
      .when({ ...startWeb, audience: [more!] })
      .thenRefuses('invalid_request', {
        errors: [{ path: 'audience', message: 'more audiences than fit into one token' }],
      });
    const scope = 's'.repeat(limits.tokenScopeCharactersMax);
    given()
      .when({ ...startWeb, scope })
      .thenRecords({ ...webStarted, data: { ...webStarted.data, scope } });
    given()
      .when({ ...startWeb, scope: `${scope}s` })
      .thenBreaks(/fits into no token/);
  });
});

describe('where a session was last seen', () => {
  const rotatedAt = startedAt + 1000;
  const moved = { ...refreshed(2, rotatedAt), pii: seenPii };

  it('is recorded when it has changed, and only then', () => {
    const there = given(webStarted).when(refreshWith(1, rotatedAt, { moved: true }));
    there.thenRecords(moved);
    expect(there.state().pii).toBe(seenPii);
    const here = given(webStarted, moved).when(refreshWith(2, rotatedAt + 1));
    here.thenRecords(refreshed(3, rotatedAt + 1));
    expect(here.state().pii).toBe(seenPii);
  });
});

describe('revoking a session', () => {
  it('ends it for the reason given', () => {
    given(webStarted)
      .when(logout)
      .thenRecords({ type: 'SessionRevoked', data: { at: startedAt + 5000, reason: 'logout' } });
  });

  // Fails when `supersededBy` or `pii` is not copied into SessionRevoked.
  it('names the newcomer that superseded it', () => {
    given(webStarted)
      .when({ ...logout, reason: 'superseded', supersededBy: 'newcomer', pii })
      .thenRecords({
        type: 'SessionRevoked',
        data: { at: startedAt + 5000, reason: 'superseded', supersededBy: 'newcomer' },
        pii,
      });
  });

  it('is idempotent: the first reason stays', () => {
    const revoked: SessionEvent = {
      type: 'SessionRevoked',
      data: { at: startedAt + 1000, reason: 'admin' },
    };
    given(webStarted, revoked).when(logout).thenRecords();
  });

  it('finds an expired session expired, not revoked', () => {
    given(webStarted)
      .when({ ...logout, now: endsAt })
      .thenRecords({ type: 'SessionExpired', data: { at: endsAt, cause: 'absolute' } });
    given(webStarted)
      .when({ ...logout, now: endsAt - 1 })
      .thenRecords({ type: 'SessionRevoked', data: { at: endsAt - 1, reason: 'logout' } });
  });

  it('does not find a session that never was', () => {
    given().when(logout).thenRefuses('not_found');
  });
});

describe('expiring a session', () => {
  it('waits for the very millisecond of the absolute end', () => {
    given(webStarted)
      .when({ type: 'ExpireSession', now: endsAt - 1, idleSeconds: 0 })
      .thenRecords();
    given(webStarted)
      .when({ type: 'ExpireSession', now: endsAt, idleSeconds: 0 })
      .thenRecords({ type: 'SessionExpired', data: { at: endsAt, cause: 'absolute' } });
  });

  it('counts idleness from the last rotation', () => {
    const rotatedAt = startedAt + 1_000_000;
    const idleAt = rotatedAt + 3_600_000;
    const history = [webStarted, refreshed(2, rotatedAt)];
    given(...history)
      .when({ type: 'ExpireSession', now: idleAt - 1, idleSeconds: 3600 })
      .thenRecords();
    given(...history)
      .when({ type: 'ExpireSession', now: idleAt, idleSeconds: 3600 })
      .thenRecords({ type: 'SessionExpired', data: { at: idleAt, cause: 'idle' } });
    given(...history)
      .when({ type: 'ExpireSession', now: idleAt, idleSeconds: 0 })
      .thenRecords();
  });

  it('leaves an ended session, and one that never was, alone', () => {
    const expired: SessionEvent = {
      type: 'SessionExpired',
      data: { at: endsAt, cause: 'absolute' },
    };
    given(webStarted, expired)
      .when({ type: 'ExpireSession', now: endsAt + 1, idleSeconds: 0 })
      .thenRecords();
    given().when({ type: 'ExpireSession', now: endsAt, idleSeconds: 0 }).thenRecords();
  });
});

describe('the absolute end of a session', () => {
  it('is not moved by any rotation', () => {
    const late = refreshWith(1, endsAt - 1000);
    expect(given(webStarted).when(late).state().expiresAt).toBe(endsAt);
  });

  // Fails when `rotate` passes `accessTokenTtlSeconds` on unclamped.
  it('is not outlived by an access token made shortly before it', () => {
    const outcome = given(webStarted).when(refreshWith(1, endsAt - 61_500));
    outcome.thenRecords({
      type: 'SessionRefreshed',
      data: { ...refreshed(2, endsAt - 61_500).data, accessTokenTtlSeconds: 61 },
    });
    expect(outcome.state().accessExpiresAt).toBeLessThanOrEqual(endsAt);
  });

  const expired = (at: number): SessionEvent => ({
    type: 'SessionExpired',
    data: { at, cause: 'absolute' },
  });
  const afterDays = (days: number, sessionTtlDays: number) =>
    ({
      type: 'ExpireSession',
      now: startedAt + days * dayMs,
      idleSeconds: 0,
      sessionTtlSeconds: (sessionTtlDays * dayMs) / 1000,
    }) as const;

  // Fails when `sessionEndsAt` takes the longer of the two lives, or counts from another instant.
  it('comes earlier under a shorter life that is configured now, and never later', () => {
    given(webStarted)
      .when({ ...afterDays(2, 2) })
      .thenRecords(expired(startedAt + 2 * dayMs));
    given(webStarted)
      .when({ ...afterDays(2, 2), now: startedAt + 2 * dayMs - 1 })
      .thenRecords();
    given(webStarted).when(afterDays(7, 9)).thenRecords(expired(endsAt));
    given(webStarted)
      .when(refreshWith(1, startedAt + dayMs - 5000, { sessionTtlSeconds: dayMs / 1000 }))
      .thenRecords({
        type: 'SessionRefreshed',
        data: { ...refreshed(2, startedAt + dayMs - 5000).data, accessTokenTtlSeconds: 5 },
      });
  });

  it('stays where it was for a session that never refreshes', () => {
    const service = { ...webStarted, data: { ...webStarted.data, secretHash: null, salt: null } };
    given(service).when(afterDays(2, 2)).thenRecords();
    given(service).when(afterDays(7, 2)).thenRecords(expired(endsAt));
  });
});

describe('a refresh by a session whose place newer ones have', () => {
  const rotatedAt = startedAt + 1000;
  const now = rotatedAt + 1;
  const surplus = { surplus: true, supersededBy: 'newcomer', newcomerPii: pii };
  const history = [webStarted, refreshed(2, rotatedAt)];

  // Fails when `planRefresh` forgets `surplus` for one of the two tokens that it would accept.
  it('ends it, with the current token and with the parent', () => {
    for (const generation of [1, 2]) {
      given(...history)
        .when(refreshWith(generation, now, surplus))
        .thenRecordsAndRefuses('session_superseded', {
          type: 'SessionRevoked',
          data: { at: now, reason: 'superseded', supersededBy: 'newcomer' },
          pii,
        });
    }
  });

  it('names no newcomer that it does not know', () => {
    given(...history)
      .when(refreshWith(2, now, { surplus: true }))
      .thenRecordsAndRefuses('session_superseded', {
        type: 'SessionRevoked',
        data: { at: now, reason: 'superseded' },
      });
  });

  // Fails when `planRefresh` asks for the place before it asks whose token it is.
  it('is reuse all the same with a used token', () => {
    const outcome = given(...history, refreshed(3, now)).when(refreshWith(1, now + 1, surplus));
    expect(outcome.state()).toMatchObject({ status: 'ended', endReason: 'reuse_detected' });
  });
});
