import { safeInteger } from '../../platform/postgres/safe-integer.ts';
import { everyMinute, type Job } from '../job.ts';

const partitionsAhead = 3;

/** Beyond it Postgres' default of `max_locks_per_transaction` is too small (docs/postgres.md). */
const partitionsMax = 500;

/**
 * Keeps three empty partitions of the log ready, as wide as is configured.
 * Warns of each that is made beyond `partitionsMax`, and counts them all.
 */
export const ensurePartitions: Job = {
  name: 'partitions.ensure',
  cron: everyMinute,
  atStart: true,
  run: async ({ pool, config, metrics, log }) => {
    const countSql = 'select count(*) as count from latchkey.session_partitions';
    const before = safeInteger((await pool.query(countSql)).rows[0]!.count);
    await pool.query('select latchkey.ensure_session_partitions($1, $2)', [
      partitionsAhead,
      config.worker.partitionPositions,
    ]);
    const partitions = safeInteger((await pool.query(countSql)).rows[0]!.count);
    metrics.logPartitions.set(partitions);
    if (partitions > Math.max(before, partitionsMax)) {
      log.warn(
        { partitions, partitions_max: partitionsMax },
        'the log has many partitions: raise max_locks_per_transaction (docs/postgres.md)',
      );
    }
  },
};
