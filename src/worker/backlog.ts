import { Gauge, type Registry } from 'prom-client';
import type { PostgresPool } from '../platform/postgres/pool.ts';
import { oldestOverdueSeconds } from '../tables/session.ts';
import { listFailedJobs } from './failed-jobs.ts';

const failedJobs = 'latchkey_failed_jobs';
const expiryBacklog = 'latchkey_session_expiry_backlog_seconds';

/**
 * What is left undone, read when somebody scrapes `registry`: any worker sees all of it. Absent
 * while the database does not answer.
 */
export function observeBacklog(registry: Registry, pool: PostgresPool): void {
  // Of a worker that this process had before: its pool is closed.
  for (const name of [failedJobs, expiryBacklog]) registry.removeSingleMetric(name);
  new Gauge({
    name: failedJobs,
    help: 'Jobs that failed for good and wait for `latchkey jobs redrive`, by queue',
    labelNames: ['queue'],
    registers: [registry],
    async collect() {
      this.reset();
      const failed = await pool.use(listFailedJobs).catch(() => []);
      for (const { queue, count } of failed) this.set({ queue }, count);
    },
  });
  new Gauge({
    name: expiryBacklog,
    help: 'How long the oldest session that is over waits for its end; 0: none waits',
    registers: [registry],
    async collect() {
      this.reset();
      const seconds = await pool.use(oldestOverdueSeconds).catch(() => null);
      if (seconds === null) this.remove();
      else this.set(seconds);
    },
  });
}
