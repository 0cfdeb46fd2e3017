import { recordErasures } from '../../app/user/record-erasures.ts';
import { countErasedUsers } from '../../tables/erased-user.ts';
import { everyMinute, type Job, withinMinutes } from '../job.ts';

const runMinutesMax = 10;

/**
 * Completes the list of erased users that is kept outside the database: an API process that crashed
 * between the commit and the file has left one out, and a file can be lost. Compares the whole file
 * with the whole table, unless neither has changed since this worker found them equal.
 */
export function keepErasures(): Job {
  let equalAt: string | null = null;
  return {
    name: 'erasures.keep',
    cron: everyMinute,
    atStart: true,
    run: async ({ readers, erasures, log, signal }) => {
      const compared = `${await countErasedUsers(readers)} ${await erasures.state()}`;
      if (compared === equalAt) return;
      const within = withinMinutes(runMinutesMax, signal);
      const missing = await recordErasures({ readers, erasures }, within);
      if (missing > 0) log.warn({ missing }, 'erased users were missing in the erasure log');
      equalAt = missing === 0 && !within.aborted ? compared : null;
    },
  };
}
