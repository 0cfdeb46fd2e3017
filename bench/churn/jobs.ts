import type pg from 'pg';
import { loadConfig } from '../../src/node/config.ts';
import { loadKeyRing } from '../../src/platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { listFailedJobs } from '../../src/worker/failed-jobs.ts';
import { openJobQueues } from '../../src/worker/job-queues.ts';
import { jobSchemaName } from '../../src/worker/job-schema.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { benchKek } from '../support/bench-node.ts';

export interface JobsOptions {
  readonly appUrl: string;
  readonly now: () => number;
  readonly sessions: { readonly idleSeconds: number; readonly retentionSeconds: number };
  readonly lifetimes: { readonly refreshTokenExpiryMs?: number };
  readonly partitionPositions: number;
}

const due = [
  'sessions.expire',
  'revocations.prune',
  'revocation-epochs.prune',
  'sessions.prune',
  'partitions.ensure',
  'log.check',
] as const;

/**
 * A whole worker on that clock. Its schedule keeps to real minutes, so `send` asks for every job of
 * the minute whenever the benchmark has moved the clock; a job that still waits stands for the new
 * one.
 */
export async function startJobs({ appUrl, now, ...options }: JobsOptions) {
  const keyWrap = localKeyWrap(loadKeyRing(loadConfig({ KEK: benchKek })));
  const errors: object[] = [];
  const worker = await startWorker({
    config: {
      verification: { clockSkewSeconds: 5 },
      keyset: {
        algorithm: 'ES256',
        rotationSeconds: 30 * 86_400,
        announceSeconds: 5 * 86_400,
        keysMax: 5,
      },
      sessions: options.sessions,
      lifetimes: options.lifetimes,
      worker: { partitionPositions: options.partitionPositions },
    },
    databaseUrl: appUrl,
    keyWrap,
    log: {
      info: () => {},
      warn: (fields, message) => errors.push({ message, ...fields }),
      error: (fields, message) => errors.push({ message, ...fields }),
    },
    now,
    pollSeconds: 0.5,
  });
  const boss = await openJobQueues(appUrl, (error) => errors.push(error));
  const send = async () => {
    for (const name of due) await boss.send(name, { job: name });
  };
  return { send, errors, runs: () => runsOf(worker.metrics), stop };

  async function stop(): Promise<void> {
    await boss.stop({ graceful: false });
    await worker.stop();
  }
}

async function runsOf({ runs }: Awaited<ReturnType<typeof startWorker>>['metrics']) {
  const { values } = await runs.get();
  const sum = (outcome: string) =>
    values
      .filter(({ labels }) => labels.outcome === outcome && labels.job !== 'keys.tick')
      .reduce((total, { value }) => total + value, 0);
  return { completed: sum('completed'), failed: sum('failed') };
}

/** Until no job waits or runs; answers how many have failed for good. */
export async function untilJobsAreDone(owner: pg.Client): Promise<number> {
  for (;;) {
    const { rows } = await owner.query(
      `select count(*)::int as open from ${jobSchemaName}.job
        where name = any ($1) and state in ('created', 'retry', 'active')`,
      [due],
    );
    if (rows[0].open === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const failed = await listFailedJobs({ query: (statement) => owner.query(statement as never) });
  return failed.reduce((sum, { count }) => sum + count, 0);
}
