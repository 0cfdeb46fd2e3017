import { loadConfig } from '../node/config.ts';
import { listFailedJobs, redriveJobs } from '../worker/failed-jobs.ts';
import { databaseUrls } from './database.ts';
import { endOnSignal } from './shutdown.ts';
import { withReaders } from './with-readers.ts';

/** Prints the jobs that failed for good, one line for each queue. */
export async function jobsFailed(): Promise<void> {
  const config = loadConfig();
  const command = { config, databaseUrl: databaseUrls(config).application, name: 'latchkey jobs' };
  const failed = await withReaders(command, listFailedJobs);
  if (failed.length === 0) console.log('No job has failed.');
  for (const { queue, count, failedAt, reason } of failed) {
    const last = new Date(failedAt).toISOString();
    console.log(`${queue}: ${count} failed, last at ${last}: ${reason}`);
  }
}

/** Puts them back, all or those of one queue. */
export async function jobsRedrive(queue?: string): Promise<void> {
  endOnSignal();
  const moved = await redriveJobs(databaseUrls(loadConfig()).application, queue);
  const from = queue === undefined ? '' : ` of ${queue}`;
  console.log(`${moved} failed jobs${from} wait for a worker again.`);
}
