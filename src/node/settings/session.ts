import { deviceTypes } from '@latchkey/contract/device-type';
import { z } from 'zod';
import { limits } from '../../domain/kernel/limits.ts';
import { type DevicePolicy, defaultDevicePolicies } from '../../domain/session/device-policy.ts';
import {
  idleSecondsFor,
  lifetimeProfiles,
  longestAccessTokenTtlSeconds,
  shortestIdleSeconds,
} from '../../domain/session/lifetimes.ts';
import { integer, milliseconds, oneOf, seconds } from '../../platform/config/kinds.ts';
import { type Kind, variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';

const daySeconds = 86_400;
const tokenLifeMs = milliseconds(1000, 400 * daySeconds * 1000);

export const lifetimes = settings(
  'Lifetimes',
  {
    profile: variable('LIFETIME_PROFILE', oneOf(lifetimeProfiles))
      .default('standard')
      .says('`standard`, `banking` or `internal`'),
    accessTokenExpiryMs: variable('ACCESS_TOKEN_EXPIRY_MS', tokenLifeMs).says(
      'Overrides the access life of every device type',
    ),
    refreshTokenExpiryMs: variable('REFRESH_TOKEN_EXPIRY_MS', tokenLifeMs).says(
      'Overrides the absolute life of every device type with refresh tokens',
    ),
  },
  {
    rules: ({ profile, accessTokenExpiryMs, refreshTokenExpiryMs }, { refuseIf }) => {
      const accessSeconds = longestAccessTokenTtlSeconds({ profile, accessTokenExpiryMs });
      refuseIf(
        accessSeconds > limits.accessTokenTtlSecondsMax,
        'accessTokenExpiryMs',
        `must be at most ${limits.accessTokenTtlSecondsMax * 1000}: revocations are remembered that long`,
      );
      refuseIf(
        refreshTokenExpiryMs !== undefined && refreshTokenExpiryMs <= accessSeconds * 1000,
        'refreshTokenExpiryMs',
        `must be longer than the longest access-token life (${accessSeconds * 1000} ms)`,
      );
    },
  },
);

export const refresh = settings('Refresh', {
  graceSeconds: variable('REFRESH_GRACE_SECONDS', seconds(0, limits.refreshGraceSecondsMax))
    .default(30)
    .says('How long the previous refresh token still yields the same successor'),
});

export const sessions = settings(
  'Sessions',
  {
    idleSeconds: variable('SESSION_IDLE_SECONDS', seconds(0, 400 * daySeconds))
      .default(0)
      .says(
        'Ends a session that was not refreshed for so long; 0 is off. A device type is given at least twice its access life',
      ),
    retentionSeconds: variable('SESSION_RETENTION_SECONDS', seconds(0, 3650 * daySeconds))
      .default(30 * daySeconds)
      .says('How long the row of an ended session is kept. Its events are kept for ever'),
    perUserMax: variable('MAX_SESSIONS_PER_USER', integer(1, limits.streamsPerCommandMax - 6))
      .default(200)
      .says('Live sessions of a user, over all device types'),
  },
  {
    rules: ({ idleSeconds }, { read, refuseIf, warnIf }) => {
      const shortest = shortestIdleSeconds(read(lifetimes));
      const raised = deviceTypes
        .map((type) => ({ type, given: idleSecondsFor(type, idleSeconds, read(lifetimes)) }))
        .filter(({ given }) => given > idleSeconds)
        .map(({ type, given }) => `${type} ${given} s`);
      warnIf(
        idleSeconds >= shortest && raised.length > 0,
        'idleSeconds',
        `is less than twice the access-token life of some device types, which get: ${raised.join(', ')}`,
      );
      refuseIf(
        idleSeconds !== 0 && idleSeconds < shortest,
        'idleSeconds',
        `must be 0 (off) or at least twice the shortest access-token life (${shortest})`,
      );
    },
  },
);

const devicePolicy: Kind<DevicePolicy> = z.codec(
  z
    .string()
    .regex(
      /^(single|unlimited|limit:[1-9]\d{0,3})$/,
      'must be single, unlimited or limit:<n>, with n from 1 to 9999',
    ),
  z.custom<DevicePolicy>(),
  {
    decode: (given) =>
      given === 'single' || given === 'unlimited' ? given : { limit: Number(given.split(':')[1]) },
    encode: (policy) => (typeof policy === 'string' ? policy : `limit:${policy.limit}`),
  },
);

export const devicePolicies = settings('Device policies', {
  web: variable('DEVICE_POLICY_WEB', devicePolicy)
    .default(defaultDevicePolicies.web)
    .says('Live sessions per user in browsers: `single`, `unlimited` or `limit:<n>`'),
  mobile: variable('DEVICE_POLICY_MOBILE', devicePolicy)
    .default(defaultDevicePolicies.mobile)
    .says('The same for phones'),
  tablet: variable('DEVICE_POLICY_TABLET', devicePolicy)
    .default(defaultDevicePolicies.tablet)
    .says('The same for tablets'),
  desktop: variable('DEVICE_POLICY_DESKTOP', devicePolicy)
    .default(defaultDevicePolicies.desktop)
    .says('The same for desktop apps'),
  service: variable('DEVICE_POLICY_SERVICE', devicePolicy)
    .default(defaultDevicePolicies.service)
    .says('The same for services'),
  iot: variable('DEVICE_POLICY_IOT', devicePolicy)
    .default(defaultDevicePolicies.iot)
    .says('The same for things'),
});
