import path from 'node:path';
import { seconds, text } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { environment } from '../../platform/environment.ts';

const daySeconds = 86_400;

export const erasure = settings(
  'Erasure',
  {
    log: variable('ERASURE_LOG', text).says(
      'The file outside the database that names every erased user, for the day a backup is restored; by default `erasures.log` in `DATA_DIR`. Put it on storage that outlives the process ([privacy.md](privacy.md))',
    ),
    recentLoginSeconds: variable('RECENT_AUTHENTICATION_SECONDS', seconds(1, daySeconds))
      .default(300)
      .says('How long after a login a user may still erase the own account'),
  },
  {
    fill: (given, read) => ({
      log: given.log ?? path.join(read(environment).dataDir, 'erasures.log'),
    }),
  },
);
