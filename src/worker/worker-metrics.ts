import { Counter, Gauge, Registry } from 'prom-client';

export interface WorkerMetrics {
  readonly registry: Registry;
  readonly runs: Counter<'job' | 'outcome'>;
  readonly lastSuccess: Gauge<'job'>;
  readonly sessionsExpired: Counter;
  readonly logCheckFindings: Gauge<'scope'>;
  readonly wholeLogChecked: Gauge;
}

/** The metrics of the jobs, in `registry` when the process has one already. */
export function createWorkerMetrics(registry: Registry = new Registry()): WorkerMetrics {
  const registers = [registry];
  return {
    registry,
    runs: new Counter({
      name: 'latchkey_job_runs_total',
      help: 'Job runs of this worker by outcome: completed or failed',
      labelNames: ['job', 'outcome'],
      registers,
    }),
    lastSuccess: new Gauge({
      name: 'latchkey_job_last_success_timestamp_seconds',
      help: 'When this worker last completed the job',
      labelNames: ['job'],
      registers,
    }),
    sessionsExpired: new Counter({
      name: 'latchkey_sessions_expired_total',
      help: 'Sessions that this worker ended because their time was over',
      registers,
    }),
    logCheckFindings: new Gauge({
      name: 'latchkey_log_check_findings',
      help: 'Duplicates, gaps and other damage that the last check of the log found, by scope',
      labelNames: ['scope'],
      registers,
    }),
    wholeLogChecked: new Gauge({
      name: 'latchkey_log_check_whole_timestamp_seconds',
      help: 'When this worker last came to the end of a check of the whole log',
      registers,
    }),
  };
}
