import { describe, expect, it } from 'vitest';
import { isRotationDue, type TickKeys } from '../../../src/domain/keyset/decide.ts';
import { nextRotation } from '../../../src/domain/keyset/schedule.ts';
import {
  activated,
  everyKid,
  fresh,
  generated,
  given,
  key,
  now,
  removed,
  retired,
  retireMs,
  revoked,
  rotatedOnce,
  stateAfter,
} from './keysets.ts';

const schedule = { rotationSeconds: 86_400, announceSeconds: 3_600, jwksMaxKeys: 5 } as const;
const rotationMs = schedule.rotationSeconds * 1000;
const announceMs = schedule.announceSeconds * 1000;
const keepRevokedForSeconds = 90_000;

function tick(at: number, change: Partial<TickKeys> = {}): TickKeys {
  return {
    type: 'TickKeys',
    now: at,
    usableKids: everyKid,
    retireForSeconds: retireMs / 1000,
    keepRevokedForSeconds,
    ...schedule,
    ...change,
  };
}

describe('given a fresh keyset', () => {
  it('a tick before its time does nothing, and one at it rotates', () => {
    const due = now + rotationMs;
    given(...fresh)
      .when(tick(due - 1))
      .thenRecords();
    given(...fresh)
      .when(tick(due, { newKey: key('k4') }))
      .thenRecords(retired('k1', due), activated('k2', due), generated('k4', due));
  });

  it('the rotation after an emergency comes a whole period later', () => {
    const emergency = now + rotationMs - 1;
    const events = [...fresh, revoked('k1', emergency), generated('k4', emergency)];
    const state = stateAfter([...events, activated('k2', emergency)]);
    expect(nextRotation(state, schedule, everyKid)).toEqual({
      at: emergency + rotationMs,
      waitsFor: null,
    });
  });

  it('however late the tick is, one rotation is made up for', () => {
    const late = now + 7 * rotationMs;
    const state = given(...fresh)
      .when(tick(late, { newKey: key('k4') }))
      .state();
    expect(isRotationDue(state, tick(late))).toBe(false);
  });
});

describe('given pending keys that replaced those of another algorithm a moment ago', () => {
  const replacedAt = now + rotationMs - 1000;
  const events = [
    ...fresh,
    removed('k2', replacedAt),
    removed('k3', replacedAt),
    generated('k4', replacedAt),
    generated('k5', replacedAt),
  ];

  // Fails when the schedule promotes a key that verifiers do not know yet.
  it('the rotation waits until they were announced, and says so', () => {
    const announced = replacedAt + announceMs;
    expect(nextRotation(stateAfter(events), schedule, everyKid)).toEqual({
      at: announced,
      waitsFor: 'announcement',
    });
    given(...events)
      .when(tick(announced - 1))
      .thenRecords();
    given(...events)
      .when(tick(announced, { newKey: key('k6') }))
      .thenRecords(
        retired('k1', announced),
        activated('k4', announced),
        generated('k6', announced),
      );
  });
});

describe('given a JWKS that is full of keys with live tokens', () => {
  const jwksMaxKeys = 4;
  const rotationSeconds = 60;
  const full = { jwksMaxKeys, rotationSeconds, announceSeconds: 0 };

  it('the rotation waits for the first that may go, then makes room', () => {
    const room = now + retireMs;
    expect(nextRotation(stateAfter(rotatedOnce), { ...schedule, ...full }, everyKid)).toEqual({
      at: room,
      waitsFor: 'full_jwks',
    });
    given(...rotatedOnce)
      .when(tick(room - 1, full))
      .thenRecords();
    given(...rotatedOnce)
      .when(tick(room, { ...full, newKey: key('k5') }))
      .thenRecords(
        removed('k1', room),
        retired('k2', room),
        activated('k3', room),
        generated('k5', room),
      );
  });

  it('there is no time to name where no key of it retires', () => {
    const none = { ...schedule, jwksMaxKeys: 3 };
    expect(nextRotation(stateAfter(fresh), none, everyKid)).toEqual({
      at: null,
      waitsFor: 'full_jwks',
    });
    given(...fresh)
      .when(tick(now + rotationMs, none))
      .thenRecords();
  });
});

it('B1: no pending key that a node could open means no rotation, not an unusable key', () => {
  const due = now + rotationMs;
  expect(nextRotation(stateAfter(fresh), schedule, ['k1'])).toEqual({
    at: null,
    waitsFor: 'usable_key',
  });
  given(...fresh)
    .when(tick(due, { usableKids: ['k1'] }))
    .thenRecords();
  given(...fresh)
    .when(tick(due, { usableKids: ['k3'], newKey: key('k4') }))
    .thenRecords(retired('k1', due), activated('k3', due), generated('k4', due));
});

it('without any key there is nothing to rotate', () => {
  expect(nextRotation(stateAfter([]), schedule, [])).toEqual({ at: null, waitsFor: null });
  given().when(tick(now)).thenRecords();
});

it('a due rotation breaks without a new key', () => {
  given(...fresh)
    .when(tick(now + rotationMs))
    .thenBreaks(/new key/);
});

describe('removals', () => {
  it('a retiring key goes when its last token has expired, not before', () => {
    const end = now + retireMs;
    given(...rotatedOnce)
      .when(tick(end - 1))
      .thenRecords();
    given(...rotatedOnce)
      .when(tick(end))
      .thenRecords(removed('k1', end));
  });

  it('a revoked key stays on record as long as its tokens would have lived', () => {
    const events = [...rotatedOnce, revoked('k1', now)];
    const end = now + keepRevokedForSeconds * 1000;
    const later = { rotationSeconds: 10 * schedule.rotationSeconds };
    given(...events)
      .when(tick(end - 1, later))
      .thenRecords();
    given(...events)
      .when(tick(end, later))
      .thenRecords(removed('k1', end));
    // Also one that was retiring: its time to go is another now.
    given(...rotatedOnce, revoked('k1', now + retireMs - 1))
      .when(tick(now + retireMs, later))
      .thenRecords();
  });
});
