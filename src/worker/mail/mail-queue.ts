import type { Job, PgBoss } from 'pg-boss';
import type { MailJob, QueuedMail } from '../../consumers/mail-outbox/jobs.ts';
import { noticeEverySeconds } from '../../domain/mail/mail-kinds.ts';
import type { LogGuard } from '../../eventlog/log-guard.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { deadLetterQueue, jobSchemaName } from '../job-schema.ts';
import { type DeliveryParts, deliver } from './deliver.ts';

const mailQueue = 'mail.deliver';

/** With five connections to the server: two rounds, then the next batch. */
const batchSize = 10;
const daySeconds = 86_400;

/**
 * A mail that its server refuses for now is tried for about two days. A job that ended is kept as
 * long as it limits the next notice of its kind.
 */
const queueSettings = {
  retryLimit: 200,
  retryDelay: 5,
  retryBackoff: true,
  retryDelayMax: 900,
  heartbeatSeconds: 30,
  expireInSeconds: 1_200,
  retentionSeconds: 7 * daySeconds,
  deleteAfterSeconds: 2 * noticeEverySeconds,
  deadLetter: deadLetterQueue,
} as const;

export interface MailQueue {
  /** Queues mails in the transaction that `client` is in; answers how many are new. */
  enqueue(client: Queryable, mails: readonly QueuedMail[]): Promise<number>;
  /** Looks for mails now. */
  wake(): void;
}

/** Delivers what is queued from now on, on this worker. */
export async function startMailQueue(
  boss: PgBoss,
  parts: DeliveryParts & { readonly guard: LogGuard; readonly pollSeconds: number },
): Promise<MailQueue> {
  await boss.createQueue(mailQueue, { deadLetter: deadLetterQueue });
  await boss.updateQueue(mailQueue, queueSettings);
  const options = {
    ...{ batchSize, pollingIntervalSeconds: parts.pollSeconds },
    ...{ burstWhenBatchFull: true, perJobResults: true as const },
  };
  const workId = await boss.work(mailQueue, options, async (jobs: Job<MailJob>[]) => {
    await parts.guard.check(parts.context.cells.home.readers);
    return Promise.all(jobs.map((job) => deliver(parts, job)));
  });
  return {
    enqueue: (client, mails) => enqueue(boss, client, mails),
    wake: () => boss.notifyWorker(workId),
  };
}

async function enqueue(
  boss: PgBoss,
  client: Queryable,
  mails: readonly QueuedMail[],
): Promise<number> {
  const jobs = mails.map(({ id, job, limitKey }) => ({
    ...{ id, data: job },
    ...(limitKey === null ? {} : { singletonKey: limitKey, singletonSeconds: noticeEverySeconds }),
  }));
  const db = {
    executeSql: (text: string, values?: unknown[]) => client.query({ text, values: values ?? [] }),
  };
  return (await boss.insert(mailQueue, jobs, { db, returnId: true }))?.length ?? 0;
}

/** How long the oldest mail waits that was neither delivered nor given up, in seconds. */
export async function oldestMailSeconds(readers: Queryable): Promise<number> {
  const { rows } = await readers.query({
    name: 'oldest-mail',
    text: `select extract(epoch from clock_timestamp() - min(created_on))::float8 as seconds
      from ${jobSchemaName}.job where name = $1 and state < 'completed'`,
    values: [mailQueue],
  });
  return Math.max(0, (rows[0]!.seconds as number | null) ?? 0);
}
