import { tmpdir } from 'node:os';
import path from 'node:path';
import type pg from 'pg';
import { loadConfig } from '../../src/node/config.ts';
import { loadKeyRing } from '../../src/platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { listFailedJobs } from '../../src/worker/failed-jobs.ts';
import { everyMinute } from '../../src/worker/job.ts';
import { openJobQueues } from '../../src/worker/job-queues.ts';
import { jobSchemaName } from '../../src/worker/job-schema.ts';
import { allJobs } from '../../src/worker/jobs/all.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { benchKek } from '../support/bench-node.ts';

export interface JobsOptions {
  readonly appUrl: string;
  readonly now: () => number;
  readonly sessions: { readonly idleSeconds: number; readonly retentionSeconds: number };
  readonly lifetimes: { readonly refreshTokenExpiryMs?: number };
  readonly partitionPositions: number;
}

/** All but those of once a day. */
const due = allJobs().filter(({ cron }) => cron === everyMinute);

/**
 * A whole worker on that clock. Its schedule keeps to real minutes, so `send` asks for every job of
 * the minute whenever the benchmark has moved the clock; a job that still waits stands for the new
 * one. It works until `opened` is closed.
 */
export async function startJobs(
  opened: AsyncDisposableStack,
  { appUrl, now, ...options }: JobsOptions,
) {
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
      erasure: { log: path.join(tmpdir(), 'latchkey-churn-erasures.log') },
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
  opened.defer(() => worker.stop());
  const boss = opened.adopt(await openJobQueues(appUrl, (error) => errors.push(error)), (queues) =>
    queues.stop({ graceful: false }),
  );
  // A job that could not be sent is due again at the next step, as in the next minute of a service.
  const send = async () => {
    for (const { name } of due) {
      await boss.send(name, { job: name }).catch((error) => errors.push(error));
    }
  };
  return { send, errors, runs: () => runsOf(worker.metrics) };
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
      [due.map(({ name }) => name)],
    );
    if (rows[0].open === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const failed = await listFailedJobs({ query: (statement) => owner.query(statement as never) });
  return failed.reduce((sum, { count }) => sum + count, 0);
}
