import { everyMinute, type Job } from '../job.ts';

const partitionsAhead = 3;

/**
 * Keeps empty partitions of the log ready; one fills in days at the earliest, and three are ahead.
 */
export const ensurePartitions: Job = {
  name: 'partitions.ensure',
  cron: everyMinute,
  atStart: true,
  run: async ({ pool }) => {
    await pool.query('select latchkey.ensure_session_partitions($1)', [partitionsAhead]);
  },
};
