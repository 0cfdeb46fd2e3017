import { describe, expect, it } from 'vitest';
import { type BindDeviceKey, sessionDecider } from '../../../src/domain/session/decide.ts';
import type { DeviceKey } from '../../../src/domain/session/device-key.ts';
import type { SessionEvent, SessionRefreshed } from '../../../src/domain/session/events.ts';
import { isBound } from '../../../src/domain/session/rotation.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import {
  dayMs,
  refreshed,
  refreshWith,
  seenPii,
  startedAt,
  startWeb,
  webStarted,
} from './sessions.ts';

const { given } = specificationFor(sessionDecider);
const rotatedAt = startedAt + 600_000;
const endsAt = startedAt + 7 * dayMs;

describe('a refresh token of a session that is bound to a key', () => {
  const deviceKey: DeviceKey = { kind: 'dpop', jkt: 'thumbprint', jwk: { kty: 'EC' } };
  const bound = { ...webStarted, data: { ...webStarted.data, deviceKey } };
  const history = [bound, refreshed(2, rotatedAt), refreshed(3, rotatedAt + 1000)];
  const proven = { keyProven: true, graceSeconds: 0 };
  const from = (parentHash: string, event: SessionRefreshed): SessionRefreshed => ({
    ...event,
    data: { ...event.data, parentHash },
  });

  it('rotates for the holder of the key', () => {
    given(bound)
      .when(refreshWith(1, rotatedAt, proven))
      .thenRecords(refreshed(2, rotatedAt));
  });

  // Fails when the grace window is asked before the key.
  it('yields the same successor again at any delay', () => {
    for (const now of [rotatedAt + 1000, rotatedAt + 465_000, rotatedAt + 3 * dayMs]) {
      given(...history)
        .when(refreshWith(2, now, proven))
        .thenRecords();
    }
  });

  // Fails when an older token of the key's holder is reuse, or when its successor is not derived
  // from it, so that its retry would break.
  it('yields a new generation when it is older, and that one again for its retry', () => {
    const now = rotatedAt + 3 * dayMs;
    given(...history)
      .when(
        refreshWith(1, now, { ...proven, successor: { secretHash: 'hash-4' }, newSalt: 'salt-4' }),
      )
      .thenRecords(from('hash-1', refreshed(4, now)));
    given(...history, from('hash-1', refreshed(4, now)))
      .when(refreshWith(1, now + dayMs, proven))
      .thenRecords();
  });

  it('yields a new generation to the tab that held the current one meanwhile', () => {
    const now = rotatedAt + dayMs;
    given(...history, from('hash-1', refreshed(4, now)))
      .when(
        refreshWith(3, now + 1, {
          ...proven,
          successor: { secretHash: 'hash-5' },
          newSalt: 'salt-5',
        }),
      )
      .thenRecords(from('hash-3', refreshed(5, now + 1)));
  });

  // Fails when any of them records an event: who stole the token could end the session with it.
  it('is refused without proof of the key and changes nothing, whichever it is', () => {
    for (const generation of [1, 2, 3]) {
      for (const now of [rotatedAt + 1001, endsAt]) {
        given(...history)
          .when(refreshWith(generation, now, { surplus: true, idleSeconds: 3600 }))
          .thenRefuses('invalid_dpop_proof');
      }
    }
  });

  it('does not tell of its end without proof of the key, and of the newcomer with it', () => {
    const superseded: SessionEvent = {
      type: 'SessionRevoked',
      data: { at: rotatedAt + 2000, reason: 'superseded', supersededBy: 'newcomer' },
    };
    for (const generation of [1, 2, 3]) {
      const ended = given(...history, superseded);
      ended.when(refreshWith(generation, rotatedAt + 2001)).thenRefuses('invalid_dpop_proof');
      ended
        .when(refreshWith(generation, rotatedAt + 2001, proven))
        .thenRefuses('session_superseded', { facts: { ended_at: rotatedAt + 2000 } });
    }
  });

  it('still ends with the clock, and makes place for newer sessions', () => {
    given(...history)
      .when(refreshWith(1, endsAt, proven))
      .thenRecordsAndRefuses('session_ended', {
        type: 'SessionExpired',
        data: { at: endsAt, cause: 'absolute' },
      });
    given(...history)
      .when(refreshWith(1, rotatedAt + 1001, { ...proven, surplus: true }))
      .thenRecordsAndRefuses('session_superseded', {
        type: 'SessionRevoked',
        data: { at: rotatedAt + 1001, reason: 'superseded' },
      });
  });

  it('is of no use when it is of another log, key or not', () => {
    given(...history)
      .when(refreshWith(4, rotatedAt + 1001, proven))
      .thenRefuses('invalid_token', { detail: 'refresh token: ahead' });
    const other = { presented: { generation: 3, secretHash: 'other' } };
    given(...history)
      .when(refreshWith(3, rotatedAt + 1001, { ...proven, ...other }))
      .thenRefuses('invalid_token', { detail: 'refresh token: mismatch' });
  });

  it('means nothing in a session without a key: an older one is reuse', () => {
    const now = rotatedAt + 1001;
    given(webStarted, ...history.slice(1))
      .when(refreshWith(1, now, { keyProven: true }))

      .thenRecordsAndRefuses(
        'session_ended',
        {
          type: 'RefreshTokenReuseDetected',
          data: { at: now, generation: 1, currentGeneration: 3 },
          pii: seenPii,
        },
        { type: 'SessionRevoked', data: { at: now, reason: 'reuse_detected' } },
      );
  });
});

describe('a refresh token of a session whose browser has registered a key', () => {
  const deviceKey: DeviceKey = { kind: 'dbsc', jkt: 'thumbprint', jwk: { kty: 'EC' } };
  const registered: SessionEvent = {
    type: 'DeviceKeyBound',
    data: { at: startedAt + 1, deviceKey },
  };
  const confirmed = (at: number): SessionEvent => ({ type: 'DeviceKeyConfirmed', data: { at } });
  const proven = { keyProven: true, graceSeconds: 0 };
  const history = [webStarted, registered, refreshed(2, rotatedAt)];
  const later = rotatedAt + dayMs;

  it('binds the session with the first proof, once', () => {
    given(webStarted, registered)
      .when(refreshWith(1, rotatedAt, proven))
      .thenRecords(refreshed(2, rotatedAt), confirmed(rotatedAt));
    given(...history, confirmed(rotatedAt))
      .when(refreshWith(2, later, proven))
      .thenRecords(refreshed(3, later));
  });

  // Fails when the registration alone binds: a browser that lost the answer has no key.
  it('needs no proof before, and may be reused as little as any other', () => {
    given(webStarted, registered)
      .when(refreshWith(1, rotatedAt))
      .thenRecords(refreshed(2, rotatedAt));
    given(...history)
      .when(refreshWith(1, later))
      .thenRecordsAndRefuses(
        'session_ended',
        {
          type: 'RefreshTokenReuseDetected',
          data: { at: later, generation: 1, currentGeneration: 2 },
          pii: seenPii,
        },
        { type: 'SessionRevoked', data: { at: later, reason: 'reuse_detected' } },
      );
  });

  // Fails when a repeat records nothing: a thief who rotated first would stay one ahead for ever.
  it('binds it also where a thief has rotated before the holder of the key', () => {
    const repeat = given(...history).when(refreshWith(1, later, proven));
    repeat.thenRecords(confirmed(later));
    expect(isBound(repeat.state())).toBe(true);
    given(...history, confirmed(later))
      .when(refreshWith(2, later + 1))
      .thenRefuses('device_proof_required');
  });

  it('is refused without a proof from then on, at any age, and the session lives', () => {
    for (const generation of [1, 2]) {
      given(...history, confirmed(rotatedAt))
        .when(refreshWith(generation, later, { surplus: true }))
        .thenRefuses('device_proof_required');
    }
  });

  // Fails when the holder must prove a key that the browser has dropped with the session.
  it('tells of the end of the session without a proof, and of a newcomer only with it', () => {
    const superseded: SessionEvent = {
      type: 'SessionRevoked',
      data: { at: later, reason: 'superseded', supersededBy: 'newcomer' },
    };
    const ended = given(...history, confirmed(rotatedAt), superseded);
    const facts = { ended_at: later };
    ended.when(refreshWith(2, later + 1)).thenRefuses('session_ended', { facts });
    ended.when(refreshWith(2, later + 1, proven)).thenRefuses('session_superseded', { facts });
    given(...history, confirmed(rotatedAt))
      .when(refreshWith(2, endsAt))
      .thenRecordsAndRefuses('session_ended', {
        type: 'SessionExpired',
        data: { at: endsAt, cause: 'absolute' },
      });
  });
});

describe('the key of a session', () => {
  const deviceKey: DeviceKey = { kind: 'dbsc', jkt: 'thumbprint', jwk: { kty: 'EC' } };
  const now = startedAt + 1000;
  const clock = { idleSeconds: 0, sessionTtlSeconds: 7 * 86_400 };
  const bind: BindDeviceKey = { type: 'BindDeviceKey', now, deviceKey, ...clock };
  const cookieStarted = {
    ...webStarted,
    data: { ...webStarted.data, transport: 'cookie' as const },
  };
  const bound: SessionEvent = { type: 'DeviceKeyBound', data: { at: now, deviceKey } };

  it('is that of the login, or is bound later', () => {
    const atLogin = given().when({ ...startWeb, deviceKey });
    atLogin.thenRecords({ ...webStarted, data: { ...webStarted.data, deviceKey } });
    expect(atLogin.state().deviceKey).toEqual(deviceKey);
    const later = given(cookieStarted).when(bind);
    later.thenRecords(bound);
    expect(later.state().deviceKey).toEqual(deviceKey);
    expect(isBound(given().when(startWeb).state())).toBe(false);
  });

  it('outlives every refresh', () => {
    const state = given(cookieStarted, bound).when(refreshWith(1, rotatedAt, { keyProven: true }));
    expect(state.state().deviceKey).toEqual(deviceKey);
  });

  it('is bound once: the same again changes nothing, another is refused', () => {
    given(cookieStarted, bound).when(bind).thenRecords();
    for (const other of [{ jkt: 'other' }, { kind: 'dpop' as const }]) {
      given(cookieStarted, bound)
        .when({ ...bind, deviceKey: { ...deviceKey, ...other } })
        .thenRefuses('conflict');
    }
  });

  it('binds no session that is over or never was', () => {
    given().when(bind).thenRefuses('not_found');
    given(cookieStarted, { type: 'SessionRevoked', data: { at: now, reason: 'logout' } })
      .when(bind)
      .thenRefuses('session_ended', { facts: { ended_at: now } });
    given(cookieStarted)
      .when({ ...bind, now: endsAt })
      .thenRecordsAndRefuses('session_ended', {
        type: 'SessionExpired',
        data: { at: endsAt, cause: 'absolute' },
      });
  });

  // Fails when only the end that the session started with counts: every refresh asks these too.
  it('binds no session that is over under the times that are configured now', () => {
    const over = (change: Partial<BindDeviceKey>, cause: 'idle' | 'absolute') =>
      given(cookieStarted)
        .when({ ...bind, now: startedAt + 3_600_000, ...change })
        .thenRecordsAndRefuses('session_ended', {
          type: 'SessionExpired',
          data: { at: startedAt + 3_600_000, cause },
        });
    over({ idleSeconds: 3600 }, 'idle');
    over({ sessionTtlSeconds: 3600 }, 'absolute');
  });

  // Fails when the caller decides who may bind: the key is proved by a cookie, which no other has.
  it('binds no session whose tokens are not in cookies', () => {
    given(webStarted).when(bind).thenRefuses('conflict');
  });
});
