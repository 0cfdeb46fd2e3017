import { type DeviceType, deviceTypes } from '@latchkey/contract/device-type';
import { describe, expect, it } from 'vitest';
import {
  idleSecondsFor,
  lifetimesFor,
  longestAccessTokenTtlSeconds,
  shortestIdleSeconds,
} from '../../../src/domain/session/lifetimes.ts';

const minute = 60;
const day = 86_400;

describe('the lifetimes of a session', () => {
  it('depend on the device type', () => {
    const lifetimes = deviceTypes.map((type) => {
      const life = lifetimesFor(type);
      return [type, life.accessTokenTtlSeconds, life.sessionTtlSeconds, life.refreshable];
    });
    expect(lifetimes).toStrictEqual([
      ['web', 15 * minute, 7 * day, true],
      ['mobile', 30 * minute, 30 * day, true],
      ['tablet', 30 * minute, 30 * day, true],
      ['desktop', 60 * minute, 90 * day, true],
      ['service', 60 * minute, 60 * minute, false],
      ['iot', 360 * minute, 365 * day, true],
    ]);
  });

  it('are short for banks and long inside a house', () => {
    expect(lifetimesFor('desktop', { profile: 'banking' })).toStrictEqual({
      accessTokenTtlSeconds: 5 * minute,
      sessionTtlSeconds: day,
      refreshable: true,
    });
    expect(lifetimesFor('web', { profile: 'internal' })).toStrictEqual({
      accessTokenTtlSeconds: 60 * minute,
      sessionTtlSeconds: 30 * day,
      refreshable: true,
    });
  });

  it('give a service no refresh token in any profile', () => {
    const settings = { profile: 'banking', refreshTokenExpiryMs: 99_000 } as const;
    expect(lifetimesFor('service', settings)).toStrictEqual({
      accessTokenTtlSeconds: 5 * minute,
      sessionTtlSeconds: 5 * minute,
      refreshable: false,
    });
  });

  it('can be set for all device types, in milliseconds, and are never zero', () => {
    const overrides = { accessTokenExpiryMs: 2500, refreshTokenExpiryMs: 9000 };
    for (const type of ['web', 'iot'] as const) {
      expect(lifetimesFor(type, overrides)).toStrictEqual({
        accessTokenTtlSeconds: 2,
        sessionTtlSeconds: 9,
        refreshable: true,
      });
    }
    const { accessTokenTtlSeconds } = lifetimesFor('web', { accessTokenExpiryMs: 1 });
    expect(accessTokenTtlSeconds).toBe(1);
  });

  it('say how long any access token may live', () => {
    expect(longestAccessTokenTtlSeconds()).toBe(360 * minute);
    expect(longestAccessTokenTtlSeconds({ profile: 'banking' })).toBe(5 * minute);
    expect(longestAccessTokenTtlSeconds({ accessTokenExpiryMs: 9_000 })).toBe(9);
  });

  it('keep the access token within the session', () => {
    expect(lifetimesFor('web', { refreshTokenExpiryMs: 60_000 })).toMatchObject({
      accessTokenTtlSeconds: 60,
      sessionTtlSeconds: 60,
    });
  });
});

describe('an idle timeout', () => {
  const minutes = (type: DeviceType, idleMinutes: number) =>
    idleSecondsFor(type, idleMinutes * minute) / minute;

  // Fails when one device type's access life decides for another.
  it('holds for each device type, never shorter than twice its own access life', () => {
    expect(deviceTypes.map((type) => [type, minutes(type, 45)])).toStrictEqual([
      ['web', 45],
      ['mobile', 60],
      ['tablet', 60],
      ['desktop', 120],
      ['service', 0],
      ['iot', 720],
    ]);
  });

  it('is none where none is configured', () => {
    expect(deviceTypes.map((type) => minutes(type, 0))).toStrictEqual([0, 0, 0, 0, 0, 0]);
  });

  it('may be configured from the shortest of them on', () => {
    expect(shortestIdleSeconds()).toBe(30 * minute);
    expect(shortestIdleSeconds({ profile: 'banking' })).toBe(10 * minute);
    expect(shortestIdleSeconds({ accessTokenExpiryMs: 9_000 })).toBe(18);
  });
});
