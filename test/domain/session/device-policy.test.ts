import { type DeviceType, deviceTypes } from '@latchkey/contract/device-type';
import { describe, expect, it } from 'vitest';
import {
  defaultDevicePolicies,
  isSurplus,
  type LiveSession,
  sessionsToSupersede,
} from '../../../src/domain/session/device-policy.ts';

/** Sessions named `<type>-<n>`, started one after another in the order given. */
function live(...types: DeviceType[]): LiveSession[] {
  return types.map((deviceType, index) => ({
    sessionId: `${deviceType}-${index}`,
    deviceType,
    startedAt: 1000 + index,
  }));
}

describe('the device policy', () => {
  it('is single for what a person holds, five for things, unlimited for services', () => {
    expect(deviceTypes.map((type) => [type, defaultDevicePolicies[type]])).toStrictEqual([
      ['web', 'single'],
      ['mobile', 'single'],
      ['tablet', 'single'],
      ['desktop', 'single'],
      ['service', 'unlimited'],
      ['iot', { limit: 5 }],
    ]);
  });

  // Fails when `sessionsToSupersede` ends nothing, or does not look at the device type.
  it('single: ends the session of the same device type and no other', () => {
    const sessions = live('web', 'mobile', 'desktop');
    expect(sessionsToSupersede('single', 200, sessions, 'web')).toStrictEqual(['web-0']);
    expect(sessionsToSupersede('single', 200, sessions, 'tablet')).toStrictEqual([]);
  });

  it('single: ends all of that type where an earlier policy left several', () => {
    const sessions = live('web', 'web', 'mobile', 'web');
    expect(sessionsToSupersede('single', 200, sessions, 'web')).toStrictEqual([
      'web-0',
      'web-1',
      'web-3',
    ]);
  });

  it('limit n: the oldest goes out once n are live', () => {
    const four = live('iot', 'iot', 'iot', 'iot');
    const five = live('iot', 'iot', 'iot', 'iot', 'iot').reverse();
    expect(sessionsToSupersede({ limit: 5 }, 200, four, 'iot')).toStrictEqual([]);
    expect(sessionsToSupersede({ limit: 5 }, 200, five, 'iot')).toStrictEqual(['iot-0']);
    expect(sessionsToSupersede({ limit: 3 }, 200, five, 'iot')).toStrictEqual([
      'iot-0',
      'iot-1',
      'iot-2',
    ]);
  });

  it('unlimited: ends none', () => {
    const sessions = live('service', 'service', 'service');
    expect(sessionsToSupersede('unlimited', 200, sessions, 'service')).toStrictEqual([]);
  });

  it('takes the smaller id of two that started in the same millisecond, in any order', () => {
    const twins: LiveSession[] = ['b', 'a'].map((sessionId) => ({
      sessionId,
      deviceType: 'iot',
      startedAt: 1000,
    }));
    expect(sessionsToSupersede({ limit: 2 }, 200, twins, 'iot')).toStrictEqual(['a']);
    expect(sessionsToSupersede({ limit: 2 }, 200, twins.reverse(), 'iot')).toStrictEqual(['a']);
  });
});

describe('the cap over all device types', () => {
  // Fails when the cap leaves no room for the new session.
  it('ends the oldest of any type, so that the new session fits', () => {
    const sessions = live('mobile', 'service', 'service');
    expect(sessionsToSupersede('unlimited', 4, sessions, 'service')).toStrictEqual([]);
    expect(sessionsToSupersede('unlimited', 3, sessions, 'service')).toStrictEqual(['mobile-0']);
    expect(sessionsToSupersede('unlimited', 2, sessions, 'service')).toStrictEqual([
      'mobile-0',
      'service-1',
    ]);
  });

  it('counts what the policy has ended already', () => {
    const sessions = live('service', 'web', 'service');
    expect(sessionsToSupersede('single', 3, sessions, 'web')).toStrictEqual(['web-1']);
  });
});

describe('isSurplus', () => {
  // Fails when a limit is compared with the number of all sessions, this one included.
  it.each([
    ['single', { newerOfType: 0, newer: 3 }, false],
    ['single', { newerOfType: 1, newer: 1 }, true],
    [{ limit: 2 }, { newerOfType: 1, newer: 9 }, false],
    [{ limit: 2 }, { newerOfType: 2, newer: 2 }, true],
    ['unlimited', { newerOfType: 9, newer: 9 }, false],
    ['unlimited', { newerOfType: 0, newer: 10 }, true],
  ] as const)('A8: under %j with %j is %j', (policy, newerSessions, expected) => {
    expect(isSurplus(policy, 10, newerSessions)).toBe(expected);
  });
});
