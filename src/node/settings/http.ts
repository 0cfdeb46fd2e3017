import { isLoopback } from '../../platform/address.ts';
import { host, milliseconds, networks, onOrOff, port } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { environment } from '../../platform/environment.ts';

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
    loginFloorMs: variable('LOGIN_FLOOR_MS', milliseconds(0, 10_000))
      .default(250)
      .says('A refused login leaves no sooner'),
  },
  {
    fill: (given, read) => ({
      host: given.host ?? (read(environment).name === 'dev' ? '127.0.0.1' : '0.0.0.0'),
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
    },
  },
);
