import { type Config, loadConfig } from '../node/config.ts';
import { createLogger } from '../platform/logging/logging.ts';
import { createPools } from '../platform/postgres/pool.ts';
import { listFailedJobs, redriveJobs } from '../worker/failed-jobs.ts';
import { databaseUrls } from './database.ts';

/** Prints the jobs that failed for good, one line for each queue. */
export async function jobsFailed(): Promise<void> {
  const failed = await listed(loadConfig());
  if (failed.length === 0) console.log('No job has failed.');
  for (const { queue, count, failedAt, reason } of failed) {
    console.log(
      `${queue}: ${count} failed, last at ${new Date(failedAt).toISOString()}: ${reason}`,
    );
  }
}

/** Puts them back, all or those of one queue. */
export async function jobsRedrive(queue?: string): Promise<void> {
  const moved = await redriveJobs(databaseUrls(loadConfig()).application, queue);
  const from = queue === undefined ? '' : ` of ${queue}`;
  console.log(`${moved} failed jobs${from} wait for a worker again.`);
}

async function listed(config: Config) {
  const pools = createPools({
    databaseUrl: databaseUrls(config).application,
    readers: 1,
    applicationName: 'latchkey jobs',
    logger: createLogger({ level: config.logging.level, name: 'latchkey jobs' }),
  });
  try {
    return await listFailedJobs(pools.readers);
  } finally {
    await pools.end();
  }
}
