import type { By } from '../app/by.ts';
import type { KeysetNode } from '../app/keyset/ensure-issuer-keys.ts';
import type { ExpiringNode } from '../app/session/expire-session.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import type { Cells } from '../node/cell.ts';
import type { Config } from '../node/config.ts';
import type { ErasureLog } from '../node/erasure-log.ts';
import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import type { PostgresPool } from '../platform/postgres/pool.ts';
import type { WorkerMetrics } from './metrics.ts';

export interface JobLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What a run works with. */
export interface JobContext {
  readonly config: ExpiringNode['config'] &
    KeysetNode['config'] & {
      readonly erasure: Pick<Config['erasure'], 'log'>;
      readonly sessions: Pick<Config['sessions'], 'retentionSeconds'>;
      readonly worker: Pick<Config['worker'], 'partitionPositions'>;
    };
  readonly pool: PostgresPool;
  /** The same, under the seal of rows that give authority. */
  readonly readers: SealedReaders;
  /** For the use cases that it runs. */
  readonly cells: Cells;
  readonly keyWrap: KeyWrap;
  readonly erasures: ErasureLog;
  readonly metrics: WorkerMetrics;
  readonly log: JobLogger;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** This run. */
  readonly by: By;
  /** Aborted when the process is to end: stop between two batches, the next run does the rest. */
  readonly signal: AbortSignal;
}

/**
 * Level-triggered: a run looks at what is there and does what is due, so a missed, doubled or
 * interrupted run costs nothing.
 */
export interface Job {
  readonly name: string;
  /** UTC, to the minute. */
  readonly cron: string;
  /** Also when a worker starts. */
  readonly atStart: boolean;
  readonly run: (context: JobContext) => Promise<void>;
}

export const everyMinute = '* * * * *';

/** Aborted with `signal`, or after so many minutes: the next run does the rest. */
export function withinMinutes(minutes: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(minutes * 60_000)]);
}
