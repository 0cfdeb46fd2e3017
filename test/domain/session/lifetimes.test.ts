import { deviceTypes } from '@latchkey/contract/device-type';
import { describe, expect, it } from 'vitest';
import { idleTimeoutFits, lifetimesFor } from '../../../src/domain/session/lifetimes.ts';

const minute = 60;
const day = 86_400;

describe('the lifetimes of a session', () => {
  it('depend on the device type', () => {
    const lifetimes = deviceTypes.map((type) => {
      const life = lifetimesFor(type, 'standard');
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
    expect(lifetimesFor('desktop', 'banking')).toStrictEqual({
      accessTokenTtlSeconds: 5 * minute,
      sessionTtlSeconds: day,
      refreshable: true,
    });
    expect(lifetimesFor('web', 'internal')).toStrictEqual({
      accessTokenTtlSeconds: 60 * minute,
      sessionTtlSeconds: 30 * day,
      refreshable: true,
    });
  });

  it('give a service no refresh token in any profile', () => {
    expect(lifetimesFor('service', 'banking', { refreshTokenExpiryMs: 99_000 })).toStrictEqual({
      accessTokenTtlSeconds: 5 * minute,
      sessionTtlSeconds: 5 * minute,
      refreshable: false,
    });
  });

  it('can be set for all device types, in milliseconds, and are never zero', () => {
    const overrides = { accessTokenExpiryMs: 2500, refreshTokenExpiryMs: 9000 };
    for (const type of ['web', 'iot'] as const) {
      expect(lifetimesFor(type, 'standard', overrides)).toStrictEqual({
        accessTokenTtlSeconds: 2,
        sessionTtlSeconds: 9,
        refreshable: true,
      });
    }
    const { accessTokenTtlSeconds } = lifetimesFor('web', 'standard', { accessTokenExpiryMs: 1 });
    expect(accessTokenTtlSeconds).toBe(1);
  });

  it('keep the access token within the session', () => {
    expect(lifetimesFor('web', 'standard', { refreshTokenExpiryMs: 60_000 })).toMatchObject({
      accessTokenTtlSeconds: 60,
      sessionTtlSeconds: 60,
    });
  });
});

describe('an idle timeout', () => {
  it('is at least twice every access life, or off', () => {
    expect(idleTimeoutFits(0, deviceTypes)).toBe(true);
    expect(idleTimeoutFits(12 * 3600, deviceTypes)).toBe(true);
    expect(idleTimeoutFits(12 * 3600 - 1, deviceTypes)).toBe(false);
    expect(idleTimeoutFits(1800, ['web'])).toBe(true);
    expect(idleTimeoutFits(1799, ['web'])).toBe(false);
  });

  it('does not concern a service', () => {
    expect(idleTimeoutFits(60, ['service'])).toBe(true);
  });
});
