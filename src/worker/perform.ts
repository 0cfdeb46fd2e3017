import { requireSameClock } from '../eventlog/database-clock.ts';
import type { LogGuard } from '../eventlog/log-guard.ts';
import type { JobContext } from './job.ts';

/**
 * One run of the job called `name`: on the log that this worker started with and by the database's
 * time, as a clock that is ahead would expire sessions and forget revocations too early. Counts and
 * logs how it ends; throws what it throws.
 */
export async function perform<T>(
  name: string,
  run: () => Promise<T>,
  { readers, pool, now, metrics, log }: JobContext,
  guard: Pick<LogGuard, 'check'>,
): Promise<T> {
  try {
    await requireSameClock(readers, now);
    await guard.check(pool);
    const done = await run();
    metrics.runs.inc({ job: name, outcome: 'completed' });
    metrics.lastSuccess.setToCurrentTime({ job: name });
    return done;
  } catch (error) {
    metrics.runs.inc({ job: name, outcome: 'failed' });
    log.error({ err: error, job: name }, 'job failed');
    throw error;
  }
}
