import path from 'node:path';
import { text } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { environment } from '../../platform/environment.ts';

export const erasure = settings(
  'Erasure',
  {
    log: variable('ERASURE_LOG', text).says(
      'The file outside the database that names every erased user, for the day a backup is restored; by default `erasures.log` in `DATA_DIR`. Put it on storage that outlives the process ([privacy.md](privacy.md))',
    ),
  },
  {
    fill: (given, read) => ({
      log: given.log ?? path.join(read(environment).dataDir, 'erasures.log'),
    }),
  },
);
