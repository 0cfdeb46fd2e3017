import { oneOf, text } from './config/kinds.ts';
import { variable } from './config/setting.ts';
import { settings } from './config/topic.ts';

export const environment = settings('The environment', {
  name: variable('APP_ENV', oneOf(['dev', 'prod']))
    .default('dev')
    .says(
      '`dev`: everything has a default, an embedded Postgres starts. `prod`: `DATABASE_URL`, `KEK` and `ISSUER` are demanded. For `serve` and `worker`, absent is `prod`; the `ready` line names it',
    ),
  dataDir: variable('DATA_DIR', text)
    .default('.latchkey')
    .says('Where dev keeps its Postgres and the generated secrets'),
});
