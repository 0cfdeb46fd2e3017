import type { Queryable } from '../eventlog/queryable.ts';
import { openJobQueues } from './job-queues.ts';
import { deadLetterQueue, jobSchemaName } from './job-schema.ts';

/** Jobs of one queue that failed for good. */
export interface FailedJobs {
  readonly queue: string;
  readonly count: number;
  /** Epoch milliseconds of the newest. */
  readonly failedAt: number;
  /** What the newest failed with, for an operator. */
  readonly reason: string;
}

/** What stands in the dead-letter queue, by the queue that it came from. */
export async function listFailedJobs(client: Queryable): Promise<FailedJobs[]> {
  const { rows } = await client.query({
    text: `select distinct on (source_name) source_name as queue,
        count(*) over (partition by source_name)::int as count,
        extract(epoch from created_on)::float8 * 1000 as failed_at,
        coalesce(output ->> 'message', output #>> '{value,message}', '') as reason
      from ${jobSchemaName}.job where name = $1 and state < 'active'
      order by source_name, created_on desc`,
    values: [deadLetterQueue],
  });
  return rows.map((row) => ({
    queue: row.queue as string,
    count: row.count as number,
    failedAt: Math.round(row.failed_at as number),
    reason: row.reason as string,
  }));
}

/**
 * Puts failed jobs back into the queues that they came from, all or those of one queue. Answers how
 * many. A job that waits in its queue already stands for the failed one.
 */
export async function redriveJobs(databaseUrl: string, queue?: string): Promise<number> {
  const boss = await openJobQueues(databaseUrl);
  try {
    return await boss.redrive(deadLetterQueue, queue === undefined ? {} : { sourceName: queue });
  } finally {
    await boss.stop({ graceful: false });
  }
}
