import { type Counter, type Gauge, Registry } from 'prom-client';
import { counter, gauge } from '../platform/metrics/registry.ts';

export interface WorkerMetrics {
  /** Where they are registered. */
  readonly registry: Registry;
  readonly runs: Counter<'job' | 'outcome'>;
  readonly lastSuccess: Gauge<'job'>;
  readonly sessionsExpired: Counter;
  readonly keyRotations: Counter;
  readonly logCheckFindings: Gauge<'scope'>;
  readonly wholeLogChecked: Gauge;
  readonly logPartitions: Gauge;
}

/** The metrics of the jobs, in `registry` when the process has one already. */
export function workerMetrics(registry: Registry = new Registry()): WorkerMetrics {
  return {
    registry,
    runs: counter(registry, {
      name: 'latchkey_job_runs_total',
      help: 'Job runs of this worker by outcome: completed or failed',
      labels: ['job', 'outcome'],
    }),
    lastSuccess: gauge(registry, {
      name: 'latchkey_job_last_success_timestamp_seconds',
      help: 'When this worker last completed the job',
      labels: ['job'],
    }),
    sessionsExpired: counter(registry, {
      name: 'latchkey_sessions_expired_total',
      help: 'Sessions that this worker ended because their time was over',
    }),
    keyRotations: counter(registry, {
      name: 'latchkey_key_rotations_total',
      help: 'Rotations of the issuer key that this worker made because they were due',
    }),
    logCheckFindings: gauge(registry, {
      name: 'latchkey_log_check_findings',
      help: 'Duplicates, gaps and other damage that the last check of the log found, by scope',
      labels: ['scope'],
    }),
    wholeLogChecked: gauge(registry, {
      name: 'latchkey_log_check_whole_timestamp_seconds',
      help: 'When this worker last came to the end of a check of the whole log',
    }),
    logPartitions: gauge(registry, {
      name: 'latchkey_log_partitions',
      help: 'Partitions of the session events, empty ones included',
    }),
  };
}
