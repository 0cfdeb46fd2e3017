import { isLoopback } from '../address.ts';
import { url } from '../config/kinds.ts';
import { variable } from '../config/setting.ts';
import { settings } from '../config/topic.ts';
import { environment } from '../environment.ts';

export const redis = settings(
  'Redis',
  {
    url: variable(
      'REDIS_URL',
      url(['redis:', 'rediss:'], 'rediss://latchkey:password@redis.example.com:6379/0'),
    )
      .secret()
      .example('redis://127.0.0.1:6379/0')
      .says(
        'For wake-ups, shared rate limits and the read model; absent: Latchkey works without Redis',
      ),
  },
  {
    rules: (own, { read, warnIf }) => {
      if (own.url === undefined || read(environment).name !== 'prod') return;
      const { hostname, password, protocol } = new URL(own.url);
      warnIf(
        password === '',
        'url',
        'has no password: who reaches Redis can lift a revocation for who asks Redis alone',
      );
      warnIf(
        protocol === 'redis:' && !isLoopback(hostname),
        'url',
        'is not encrypted: take rediss:// unless the network between is yours alone',
      );
    },
  },
);
