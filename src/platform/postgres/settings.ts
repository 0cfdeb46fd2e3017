import { z } from 'zod';
import { integer, text, url } from '../config/kinds.ts';
import { variable } from '../config/setting.ts';
import { settings } from '../config/topic.ts';
import { environment } from '../environment.ts';

const postgresUrl = z
  .string()
  .refine(
    (given) => !/^[^/]+:\/\/[^/]*,/.test(given),
    'names several hosts, and Latchkey follows one: give the address that always leads to the ' +
      'primary, such as that of HAProxy, of Patroni or of a service name',
  )
  .pipe(url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/latchkey'));

const identifier = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'must be a lower-case Postgres identifier');

export const database = settings(
  'The database',
  {
    url: variable('DATABASE_URL', postgresUrl)
      .secret()
      .example('postgres://latchkey_app:password@127.0.0.1:5432/latchkey')
      .says(
        'Absent in dev: an embedded Postgres. The application role for `serve` and `worker`, the owner for `migrate`',
      ),
    directUrl: variable('DATABASE_DIRECT_URL', postgresUrl)
      .secret()
      .says('The same database past a transaction pooler; absent: `DATABASE_URL`'),
    appRole: variable('DATABASE_APP_ROLE', identifier)
      .default('latchkey_app')
      .says('The role that `migrate` creates and grants'),
    appPassword: variable('DATABASE_APP_PASSWORD', text)
      .secret()
      .says('Its password, when `migrate` is to set it'),
    poolReaders: variable('POOL_READERS', integer(1, 100))
      .default(6)
      .says('Connections for reading, per process; two more write and one follows the log'),
  },
  {
    fill: ({ url: given, directUrl }) => ({ directUrl: directUrl ?? given }),
    rules: (own, { read, refuseIf }) => {
      const { name } = read(environment);
      refuseIf(name === 'prod' && own.url === undefined, 'url', 'must be set in prod');
      refuseIf(
        own.directUrl !== undefined && own.url === undefined,
        'url',
        'must be set when DATABASE_DIRECT_URL is',
      );
    },
  },
);
