import { oneOf } from '../config/kinds.ts';
import { variable } from '../config/setting.ts';
import { settings } from '../config/topic.ts';

export const logging = settings('Logging', {
  level: variable(
    'LOG_LEVEL',
    oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
  )
    .default('info')
    .says('`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`'),
});
