import { isLoopback } from '../../platform/address.ts';
import {
  host,
  integer,
  milliseconds,
  networks,
  oneOf,
  onOrOff,
  port,
} from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { environment } from '../../platform/environment.ts';
import { redis } from '../../platform/redis/settings.ts';

export const http = settings(
  'The HTTP API',
  {
    host: variable('HOST', host).says(
      'Address to listen on; `0.0.0.0` in prod. While `APP_ENV` is `dev`: loopback only',
    ),
    port: variable('PORT', port).default(3333).says('0 takes any free port'),
    trustedProxies: variable('TRUSTED_PROXIES', networks)
      .default([])
      .says('Networks whose `X-Forwarded-For` is believed'),
    rateLimits: variable('RATE_LIMITS', onOrOff)
      .default(true)
      .says('`off` for tests and benchmarks; refused in prod'),
    rateLimitStore: variable('RATE_LIMIT_STORE', oneOf(['memory', 'postgres', 'redis'])).says(
      'Where processes count together; absent: `redis` with `REDIS_URL`, else `memory`, where each counts alone',
    ),
    networkRefusalsWarn: variable('NETWORK_REFUSALS_WARN', integer(0, 1_000_000_000))
      .default(1_000)
      .says('Refusals of one network in an hour that the log warns of; 0: of none'),
    loginFloorMs: variable('LOGIN_FLOOR_MS', milliseconds(0, 10_000))
      .default(250)
      .says('A refused login leaves no sooner'),
  },
  {
    fill: (given, read) => ({
      host: given.host ?? (read(environment).name === 'dev' ? '127.0.0.1' : '0.0.0.0'),
      rateLimitStore: given.rateLimitStore ?? (read(redis).url === undefined ? 'memory' : 'redis'),
    }),
    rules: (own, { read, purpose, refuseIf }) => {
      const isDev = read(environment).name === 'dev';
      refuseIf(
        isDev && !isLoopback(own.host),
        'host',
        'must be a loopback address such as 127.0.0.1 while APP_ENV is dev: set APP_ENV=prod to serve others',
      );
      refuseIf(
        !isDev && purpose === 'serve' && !own.rateLimits,
        'rateLimits',
        'must not be off in prod',
      );
      refuseIf(
        purpose === 'serve' && own.rateLimitStore === 'redis' && read(redis).url === undefined,
        'rateLimitStore',
        'must not be redis without REDIS_URL',
      );
      refuseIf(
        own.rateLimitStore === 'postgres' && !own.rateLimits,
        'rateLimitStore',
        'must not be postgres while RATE_LIMITS is off: nothing would be counted there',
      );
    },
  },
);
